"""Says on the server whether the sums over calls are those of the rows, and counts them anew: exit status 0 when they agree, else 1."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage import recount


class Command(BaseCommand):
    help = "Checks the sums that the desk shows against the calls and the ledger; --rebuild counts them anew from the rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rebuild", action="store_true", help="count anew; answers that end meanwhile wait for it")

    def handle(self, *, rebuild: bool, **options: Any) -> None:
        if rebuild:
            self.stdout.write(f"{recount.everything()} rows counted.")
        found = list(recount.drifts())
        for drift in found:
            self.stdout.write(drift)
        if found:
            raise CommandError(f"{len(found)} sums differ from their rows. --rebuild counts them anew.")
        self.stdout.write("The sums agree with the rows.")
