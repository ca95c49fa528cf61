"""Proves on the server that entries, counters and holds agree: exit status 0 when they do, 1 when not, with every drift."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage import proof


class Command(BaseCommand):
    help = "Checks that the ledger, the counters of limits and the holds of running calls agree. Changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(proof.drifts())
        for drift in found:
            self.stdout.write(drift)
        entries, counters, held = proof.counted()
        looked_at = f"{entries} entries, {counters} counters, {held} open holds"
        if found:
            raise CommandError(f"The ledger does not agree: {len(found)} drifts ({looked_at}). Please report this.")
        self.stdout.write(f"{looked_at}: they agree.")
