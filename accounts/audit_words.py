"""How an event reads: the sentence with its names, and what changed, in the reader's language. Asks no database, stores nothing."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.utils.functional import Promise
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import audit, devices, people_rights
from accounts.audit_actions import ACTIONS
from accounts.models import AuditEvent

NOUNS: dict[str, str | Promise] = {
    "sign_in": _("Signing in"),
    "person": _("People"),
    "password": _("Passwords"),
    "factor": _("Second factors"),
    "team": _("Teams"),
    "invitation": _("Invitations"),
    "registration": _("Registrations"),
    "service": _("Accounts of programs"),
    "token": _("Programs signing in"),
    "key": _("API keys"),
    "email": _("E-mail addresses"),
    "mail": _("Mail"),
    "rescue": _("Rescue"),
    "sso": _("Company sign-in"),
    "organisation": _("Organisation"),
    "announcement": _("Announcements"),
    "provider": _("Providers"),
    "model": _("Models"),
    "price": _("Prices"),
    "rate": _("Exchange rates"),
    "look": _("Looks into conversations"),
    "retention": _("What is kept"),
    "hold": _("Legal holds"),
    "limit": _("Limits"),
    "ledger": _("Ledger"),
    "calls": _("Calls"),
    "alerts": _("Alerts"),
    "month": _("Months"),
    "invoice": _("Invoices"),
    "row": _("All records"),
    "audit": _("Audit trail"),
}
"""What the list of actions is grouped by; a noun without a word here stands as it is."""
FIELDS: dict[str, str | Promise] = {
    "account": _("account"),
    "active": _("active"),
    "cached_input_micro": _("cached input"),
    "currency": _("currency"),
    "effective_from": _("from"),
    "enabled": _("on"),
    "events": _("events"),
    "fault": _("what is wrong"),
    "fields": _("fields"),
    "filter": _("search"),
    "further_fields": _("further fields"),
    "format": _("format"),
    "ground": _("reason"),
    "heir": _("taken over by"),
    "input_micro": _("input"),
    "conversation": _("conversation"),
    "conversations": _("conversations"),
    "holds": _("legal hold"),
    "into": _("into"),
    "part": _("part"),
    "sha256": _("SHA-256"),
    "parts": _("rows"),
    "key_hint": _("key in use"),
    "kind": _("kind"),
    "may": _("rights"),
    "members": _("members"),
    "membership": _("membership"),
    "span_from": _("messages from"),
    "span_until": _("messages until"),
    "method": _("with"),
    "minutes": _("minutes"),
    "models": _("models"),
    "more": _("more"),
    "of_models": _("models"),
    "reason": _("reason"),
    "subject_name": _("for whom"),
    "until": _("until"),
    "models_known": _("models"),
    "next_key_hint": _("next key"),
    "noted_heads": _("noted heads"),
    "numbers": _("numbers"),
    "old_lives_hours": _("hours the old one still works"),
    "output_micro": _("output"),
    "paid_by": _("paid by"),
    "per_audio_minute_micro": _("per audio minute"),
    "per_call_micro": _("per call"),
    "per_image_micro": _("per image"),
    "prefix": _("prefix"),
    "provider": _("provider"),
    "providers": _("providers"),
    "rate": _("rate"),
    "role": _("role"),
    "sign_in": _("sign-in"),
    "team": _("team"),
    "thinking": _("reasoning"),
    "words": _("text"),
    "unknown_name": _("mark of the name"),
}
"""Words for fields that are no columns; the others are called as their column is."""
VALUES: dict[str, dict[str, str | Promise]] = {
    "role": {
        "administrator": _("administrator"),
        "staff": _("staff"),
        "colleague": _("colleague"),
        "member": _("member"),
        "manager": _("manager"),
    },
    "method": {"password": _("password"), "otp": _("code"), "totp": _("code app"), "webauthn": _("passkey")},
    "kind": {"totp": _("code app"), "webauthn": _("passkey"), "recovery_codes": _("recovery codes")},
}
"""Words for values, by their field."""
KINDS: dict[str, str | Promise] = {
    "letter": _("a letter"),
    "link": _("a one-time link"),
    "session": _("a sign-in"),
    "key": _("an API key"),
    "price": _("a price"),
    "person": _("somebody whose name was erased"),
    "opening": _("somebody whose name was erased"),
    "legalhold": _("a legal hold"),
    "invitation": _("somebody whose name was erased"),
}
"""What stands for a target without a name."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what it was and what it is, in words."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Line:
    """An event as it is shown."""

    event: AuditEvent
    sentence: SafeString
    changes: list[Change]
    device: str
    place: str


def lines(events: Iterable[AuditEvent], *, search_at: str = "", reader: UUID | None = None) -> list[Line]:
    """The events in words. With `search_at` (an address) each name leads to what else was done by or to it; `reader` is "you"."""
    return [line(event, search_at=search_at, reader=reader) for event in events]


def line(event: AuditEvent, *, search_at: str = "", reader: UUID | None = None) -> Line:
    """One event in words."""
    both = {**event.changes, **event.private}
    told = [_change(event, field=field, pair=pair) for field, pair in both.items()]
    device = devices.words(event.device) if event.device else ""
    return Line(event, sentence(event, search_at=search_at, reader=reader), told, device, event.address)


def sentence(event: AuditEvent, *, search_at: str = "", reader: UUID | None = None) -> SafeString:
    """Who did what to whom."""
    template = str(ACTIONS.get(event.action, f"%(actor)s: {event.action} %(target)s"))
    shape = str(conditional_escape(template)).replace("{", "").replace("}", "")
    for name in ("actor", "target"):
        shape = shape.replace(f"%({name})s", f"{{{name}}}")
    if reader:
        names = {"actor": actor_of(event), "target": target_of(event)}
        names |= {"actor": gettext("You")} if event.actor == reader else {}
        names |= {"target": gettext("your account")} if event.target == reader else {}
        return format_html(
            shape.replace("%%", "%"), **{name: format_html("<b>{}</b>", word) for name, word in names.items()}
        )
    actor = _name(actor_of(event), known=bool(event.actor_name and event.actor), field="who", search_at=search_at)
    target = _name(target_of(event), known=bool(event.target_name), field="whom", search_at=search_at)
    return format_html(shape.replace("%%", "%"), actor=actor, target=target)


def plain_sentence(event: AuditEvent) -> str:
    """The same without links, for files."""
    template = str(ACTIONS.get(event.action, f"%(actor)s: {event.action} %(target)s"))
    return template % {"actor": actor_of(event), "target": target_of(event)}


def actor_of(event: AuditEvent) -> str:
    """Who did it, in words."""
    if event.actor:
        return event.actor_name or gettext("Somebody whose name was erased")
    if event.actor_kind == "command":
        return gettext("A command on the server (%(name)s)") % {"name": event.actor_name or "?"}
    return gettext("The system") if event.actor_kind == "system" else gettext("Somebody who was not signed in")


def target_of(event: AuditEvent) -> str:
    """To whom or what, in words."""
    return event.target_name or str(KINDS.get(event.target_kind, "")) or event.target_kind.replace("_", " ")


def choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every action for a list to choose from, grouped by its noun; the noun itself means all of them."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for action, template in ACTIONS.items():
        noun = action.partition(".")[0]
        whole = [(noun, gettext("%(noun)s: everything") % {"noun": noun_of(noun)})]
        groups.setdefault(noun, whole).append((action, str(template) % {"actor": "…", "target": "…"}))
    return [(noun_of(noun), items) for noun, items in groups.items()]


def noun_of(noun: str) -> str:
    """The group's heading."""
    return str(NOUNS.get(noun, capfirst(noun.replace("_", " "))))


def _name(name: str, *, known: bool, field: str, search_at: str) -> SafeString:
    if not (search_at and known):
        return format_html("<b>{}</b>", name)
    query = urlencode({field: name.partition(" · ")[0]})
    return format_html('<a href="{}?{}">{}</a>', search_at, query, name)


def _change(event: AuditEvent, *, field: str, pair: list[Any]) -> Change:
    words = (
        {bundle.slug: bundle.title for bundle in people_rights.bundles()} if field == "may" else VALUES.get(field, {})
    )
    before, after = (_told(value, words=words) for value in pair)
    return Change(_label(field, kind=event.target_kind), before, after)


def _label(field: str, *, kind: str) -> str:
    if field in FIELDS:
        return str(FIELDS[field])
    model = _models().get(kind)
    try:
        column = model._meta.get_field(field) if model is not None else None
    except FieldDoesNotExist:
        column = None
    return str(getattr(column, "verbose_name", "") or field.replace("_", " "))


@functools.cache
def _models() -> dict[str, Any]:
    """Our words for kinds of rows, and their models."""
    return {
        audit.KINDS.get(model._meta.model_name or "", model._meta.model_name or ""): model
        for model in apps.get_models()
    }


def _told(value: Any, *, words: Mapping[str, str | Promise]) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return ", ".join(_told(each, words=words) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_told(each, words=words)}" for key, each in value.items())
    return " + ".join(str(words.get(part, part)) for part in str(value).split(" + "))
