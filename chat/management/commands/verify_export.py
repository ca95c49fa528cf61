"""`manage.py verify_export FILE`: whether a sealed file is as it left this installation. Reads, changes nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat import opened


class Command(BaseCommand):
    """Exit 0: whole; 1: not."""

    help = "Checks every file of a sealed export, its manifest and the event in the audit trail that knows it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="The zip as it was downloaded.")

    def handle(self, *args: Any, **options: Any) -> None:
        if fault := opened.fault_of(str(options["file"])):
            raise CommandError(f"{options['file']}: {fault}.", returncode=1)
        self.stdout.write(f"{options['file']} is as it left, and the audit trail says so.")
