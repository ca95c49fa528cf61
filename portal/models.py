"""Rows of the site itself: one per periodic job, so that any number of workers may carry the clock."""

from __future__ import annotations

from django.db import models


class PeriodicJob(models.Model):
    """When a job of the schedule last began; whoever moves `last_run_at` on runs it."""

    name = models.CharField(max_length=100, primary_key=True)
    last_run_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
