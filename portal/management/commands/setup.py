"""Makes the database ready and says what it did: backup, migrations, first administrator, the environment's provider.

A repeat changes nothing. It refuses a database that is newer than the code, and asks no questions.
"""

from __future__ import annotations

import json
import os
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from accounts import audit
from accounts.models import User
from portal import backups
from providers import environment
from providers.models import ModelRoute, Provider
from usage import rules


class Command(BaseCommand):
    """`manage.py setup`; bin/run calls it before the first start and after a change of code or settings."""

    help = "Migrates, makes the first administrator, takes over the environment's provider. A repeat changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--address", default=settings.PUBLIC_URL or f"http://127.0.0.1:{settings.PORT}")
        parser.add_argument(
            "--changed", action="store_true", help="the code has changed: back up even without migrations"
        )
        parser.add_argument("--report", type=Path, help="a JSON file for bin/run: where the database is, what answers")

    def handle(self, *, address: str, changed: bool, report: Path | None, **_: Any) -> None:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(f"The database can't be reached ({reason}): check DATABASE_URL") from None
        executor = MigrationExecutor(connection)
        refuse_newer(executor)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if executor.loader.applied_migrations and (plan or changed):
            self.stdout.write(backups.before_upgrade())
        if plan:
            call_command("migrate", interactive=False, verbosity=0)
            last = plan[-1][0]
            self.stdout.write(f"Applied {len(plan)} migrations, up to {last.app_label}.{last.name}")
        elif changed:
            self.stdout.write("The database needs no migration")
        for line in environment.sync():
            self.stdout.write(line)
        welcome = first_administrator(address)
        if welcome:
            self.stdout.write(welcome)
            if limited := first_limits():
                self.stdout.write(limited)
        if report:
            write(report)


def refuse_newer(executor: MigrationExecutor) -> None:
    """Raises when an installed app has an applied migration that this code doesn't have."""
    loader = executor.loader
    known = set(loader.disk_migrations) | {
        key for migration in loader.disk_migrations.values() for key in migration.replaces
    }
    unknown = sorted(key for key in loader.applied_migrations if key[0] in loader.migrated_apps and key not in known)
    if unknown:
        app, name = unknown[0]
        raise CommandError(
            f"The database is newer than this code (it has {app}.{name}): git pull, or restore a backup from {backups.folder()}"
        )


def first_administrator(address: str) -> str:
    """Makes one when there is none; the line that says how to sign in, or nothing."""
    if User.objects.filter(is_superuser=True).exists():
        return ""
    email = os.environ.get("ADMIN_EMAIL") or "admin@example.com"
    given = os.environ.get("ADMIN_PASSWORD")
    password = given or secrets.token_urlsafe(12)
    with transaction.atomic():
        made = User.objects.create_superuser(email=email, password=password, name="", password_expired=not given)
        changes = {"role": [None, "administrator"]}
        audit.record("person.added", actor_kind="command", target=made, changes=changes)
    said = "with the password from ADMIN_PASSWORD" if given else f"one-time password {password}"
    return f"Sign in at {address}/ as {email}, {said}"


def first_limits() -> str:
    """A fresh portal has limits, unless FIRST_LIMITS=none; the line to say about it, or nothing."""
    if settings.FIRST_LIMITS == "none":
        return ""
    made = rules.first_limits()
    words = {"organisation": "for all together", "each": "for each person"}
    told = ", ".join(f"{quota.amount:,} questions a day {words[quota.scope]}" for quota in made)
    return f"It begins with limits: {told}" if made else ""


def write(report: Path) -> None:
    """What bin/run has to know without loading Django the next time."""
    name = str(connection.settings_dict["NAME"])
    providers = Provider.objects.filter(enabled=True)
    from_environment = bool(settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL)
    listed = ModelRoute.objects.filter(provider__source=Provider.Source.ENVIRONMENT).exists()
    found = {
        "database": name if connection.vendor == "sqlite" else None,
        "entered": providers.filter(source=Provider.Source.DATABASE).count(),
        "simulator": providers.filter(source=Provider.Source.SIMULATOR).exists(),
        # A provider that did not answer is asked again at the next start.
        "settled": listed or not from_environment,
    }
    report.write_text(json.dumps(found))
