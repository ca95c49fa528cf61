"""Proves the audit trail on the server: exit status 0 when it is whole, 1 when not, with the first number that is wrong."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import audit, audit_proof


class Command(BaseCommand):
    help = "Checks that no event of the audit trail was changed or removed, and prints the head to note elsewhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="NUMBER:HASH",
            help="a head that was printed earlier and kept elsewhere; the event must still be there. Can be repeated",
        )
        parser.add_argument(
            "--accept",
            action="store_true",
            help="after a restore: forget the heads noted in DATA_DIR and begin with the present one. Is itself recorded",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            anchors = tuple(audit_proof.read_anchor(text) for text in options["anchor"])
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from None
        if options["accept"]:
            gone = len(audit_proof.kept())
            event = audit.record("audit.accepted", actor_kind="command", changes={"noted_heads": [gone, 1]})
            audit_proof.accept(audit_proof.Head(event.number, event.hash))
        finding = audit_proof.prove(anchors=anchors)
        if finding.fault:
            raise CommandError(f"The audit trail is broken: {finding.fault}.")
        audit_proof.note(finding.head)
        self.stdout.write(f"{finding.head.number} events, unbroken.")
        self.stdout.write(f"Head: {finding.head}")
