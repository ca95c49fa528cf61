"""Writes the corpus into every stored text of an installation. Run inside it; judges nothing.

A text field is either planted or stands in KEPT with the reason; tests.security.test_sinks fails for one that does neither.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.utils import timezone

from chat import rendering
from tests import audit_guard
from tests.security import payloads

ROOMS = ("accounts", "providers", "usage", "chat", "portal")
PLANTED: dict[str, frozenset[str]] = {
    "accounts.AuditEvent": frozenset({"actor_name", "target_name", "device"}),
    "accounts.Organisation": frozenset(
        {"name", "instructions", "house_rules", "starters", "contact", "open_domains", "maintenance_note"}
    ),
    "accounts.Announcement": frozenset({"text"}),
    "accounts.RulesVersion": frozenset({"text"}),
    "accounts.User": frozenset({"name", "email"}),
    "accounts.Team": frozenset({"name", "cost_centre"}),
    "accounts.LoginSession": frozenset({"device"}),
    "accounts.ApiKey": frozenset({"name"}),
    "accounts.Invitation": frozenset({"name", "email"}),
    "accounts.Registration": frozenset({"name", "email"}),
    "accounts.Mail": frozenset({"to", "subject", "error"}),
    "accounts.SsoConnection": frozenset(
        {
            "name",
            "server_url",
            "client_id",
            "agent_id",
            "scopes",
            "group_claim",
            "staff_group",
            "email_domains",
            "secret_tail",
        }
    ),
    "accounts.SsoTeam": frozenset({"group"}),
    "accounts.Notice": frozenset({"by"}),
    "accounts.Opening": frozenset({"reason"}),
    "accounts.LegalHold": frozenset({"reason", "team_name"}),
    "accounts.Erasure": frozenset({"by_name"}),
    "providers.Provider": frozenset({"name", "base_url", "proxy"}),
    "providers.LanguageModel": frozenset({"name", "description", "slug"}),
    "providers.ModelRoute": frozenset({"upstream_name"}),
    "usage.Invocation": frozenset({"person_name", "team_name", "provider_name", "model_name"}),
    "portal.Alert": frozenset({"subject_name"}),
    "portal.AlertMessage": frozenset({"to", "error"}),
    "portal.AlertSettings": frozenset({"emails", "webhook_url"}),
    "usage.CallLine": frozenset({"detail"}),
    "usage.LedgerEntry": frozenset({"person_name", "team_name", "provider_name", "model_name", "reason"}),
    "usage.Quota": frozenset({"subject_name"}),
    "usage.MonthLine": frozenset({"cost_centre", "team_name", "person_name", "model_name", "provider_name"}),
    "usage.Invoice": frozenset({"provider_name", "model_name"}),
    "usage.QuotaRequest": frozenset({"person_name", "reason", "answer"}),
    "chat.Conversation": frozenset({"title"}),
    "chat.Message": frozenset({"text", "reasoning"}),
}
KEPT: dict[str, str] = {
    "name": "of a periodic job: from the code",
    "language": "one of two",
    "time_zone": "one of the known ones",
    "currency": "three letters, judged by the form",
    "zone": "one of the known ones",
    "models_key": "a digest",
    "into": "three letters, judged by the form",
    "organisation_currency": "three letters, judged by the form",
    "default_model": "compared, never shown",
    "kind": "from the code",
    "role": "from the code",
    "reason": "from the code (a person's own, of the ledger and of requests for more, is planted)",
    "source": "from the code",
    "outcome": "from the code",
    "error_kind": "from the code",
    "ended_because": "from the code",
    "finish_reason": "one of those that are known",
    "actor_kind": "from the code",
    "action": "from the code",
    "target_kind": "from the code",
    "method": "from the code",
    "address": "an IP address, judged before it is kept",
    "request_id": "made here",
    "client_id": "compared, never shown",
    "client": "a digest",
    "house_rules_read": "a digest",
    "slug": "letters, digits and hyphens",
    "key": "encrypted or a digest",
    "next_key": "encrypted",
    "accent": "a colour, judged by the form",
    "accent_dark": "a colour, judged by the form",
    "logo": "a digest",
    "mode": "a key, compared with the model's own",
    "passed": "numbers of providers",
    "key_hint": "four characters of a key, which is judged",
    "next_key_hint": "four characters of a key, which is judged",
    "secret": "encrypted",
    "webhook_secret": "encrypted",
    "subject": "of an alert: an id; of a letter it is planted",
    "password": "a hash",
    "prefix": "made here",
    "body": "sealed, never shown",
    "text": "of live pieces: gone when the answer has ended, rendered like the message",
    "host": "this machine's name, never shown",
    "sso_session": "compared, never shown",
    **dict.fromkeys(
        ("digest", "session_digest", "request_hash", "hash", "event_hash", "previous", "personal", "target_personal"),
        "a digest",
    ),
    **dict.fromkeys(("salt", "target_salt"), "made here"),
}
ADDRESS_FIELDS = frozenset({"server_url", "base_url", "proxy"})
ATTACKS = Path(__file__).resolve().parents[1] / "rendering" / "cases" / "attacks.md"


def undeclared() -> list[str]:
    """Text fields of our rooms that are neither planted nor kept."""
    return [
        f"{label}.{field.name}"
        for label, field in text_fields()
        if field.name not in PLANTED.get(label, ()) and field.name not in KEPT and not field.choices
    ]


def text_fields() -> Iterator[tuple[str, models.Field[Any, Any]]]:
    for model in apps.get_models():
        if model._meta.app_label in ROOMS:
            for field in model._meta.concrete_fields:
                if isinstance(field, models.CharField | models.TextField):
                    yield model._meta.label, field


def mark_of(label: str, field: str) -> str:
    """A word that stands nowhere else; the same for every row."""
    return "m" + hashlib.sha256(f"{label}.{field}".encode()).hexdigest()[:7]


def marks() -> dict[str, str]:
    """The planted fields by their marks, and three JSON values."""
    found = {mark_of(label, name): f"{label}.{name}" for label, names in PLANTED.items() for name in names}
    return found | {mark_of(label, name): f"{label}.{name}" for label, name in JSON_VALUES}


JSON_VALUES = (
    ("accounts.AuditEvent", "changes"),
    ("providers.LanguageModel", "modes"),
    ("mfa.Authenticator", "name"),
    ("socialaccount.SocialAccount", "extra_data"),
)


def plant(turn: int, *, keep_email_of: list[str]) -> None:
    """Into every row of the tables above; these people keep their address, as they are signed in with it."""
    kept = set(apps.get_model("accounts.User").objects.filter(email__in=keep_email_of).values_list("pk", flat=True))
    with ExitStack() as free:
        for table in audit_guard.GUARDED:
            free.enter_context(audit_guard.lifted(connection, table=table))
        for label, names in PLANTED.items():
            for number, row in enumerate(apps.get_model(label).objects.order_by("pk")):
                skipped = {"email"} if label == "accounts.User" and row.pk in kept else set()
                _plant_row(row, label=label, names=sorted(names - skipped), turn=turn * 5 + number)
        _plant_json(turn)
    # Entered in the browser: then its form is shown, with address and proxy.
    apps.get_model("providers.Provider").objects.update(source="database")
    _render_messages()


def _plant_row(row: Any, *, label: str, names: list[str], turn: int) -> None:
    fields = {field.name: field for field in row._meta.concrete_fields}
    for number, name in enumerate(names):
        most, whole = fields[name].max_length, "'\"<>"
        if most is None or most > len(whole):
            mark = f"{mark_of(label, name)}.{row.pk}"
            whole = payloads.text(mark, most=most, turn=turn + number, address=name in ADDRESS_FIELDS)
        if label == "chat.Message":
            whole += "\n\n" + ATTACKS.read_text(encoding="utf-8")
        type(row)._base_manager.filter(pk=row.pk).update(**{name: whole[:most] if most else whole})


def _plant_json(turn: int) -> None:
    said = payloads.text(mark_of("accounts.AuditEvent", "changes"), most=None, turn=turn)
    for event in apps.get_model(
        "accounts.AuditEvent"
    ).objects.all():  # beside what the code wrote, which pages count on
        event.changes |= {"name": [said, said], said: [said, [said]]}
        event.save(update_fields=["changes"])
    mode = payloads.text(mark_of("providers.LanguageModel", "modes"), most=None, turn=turn)
    ways = [{"key": "one", "name": mode, "body": {mode: mode}}, {"key": "two", "name": "Two", "chinese": mode}]
    apps.get_model("providers.LanguageModel").objects.update(modes=ways, body={mode: [mode]})
    # For good under way, and announced: then the pages show it.
    now = timezone.now()
    apps.get_model("accounts.Organisation").objects.update(
        maintenance_since=now, announced_until=now + dt.timedelta(days=1)
    )
    name = payloads.text(mark_of("mfa.Authenticator", "name"), most=None, turn=turn)
    for factor in apps.get_model("mfa.Authenticator").objects.filter(type="webauthn"):
        factor.data = factor.data | {"name": name}
        factor.save(update_fields=["data"])
    who = payloads.text(mark_of("socialaccount.SocialAccount", "extra_data"), most=None, turn=turn)
    apps.get_model("socialaccount.SocialAccount").objects.update(extra_data={"name": who, "email": who})


def _render_messages() -> None:
    for message in apps.get_model("chat.Message").objects.filter(role="assistant"):
        message.html, message.html_version = rendering.render(message.text), rendering.HTML_VERSION
        message.save(update_fields=["html", "html_version"])
