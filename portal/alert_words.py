"""An alert in words: what is not well, and what to do; in the reader's language. Reads nothing."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from portal.models import Alert, AlertMessage
from usage import call_words

Kind = Alert.Kind


@dataclass(frozen=True, slots=True)
class Words:
    """`lead` says what is so, `more` the figures."""

    lead: str
    more: str = ""


def of(alert: Alert) -> Words:
    """As it is while it is open."""
    facts = alert.facts
    if alert.kind in (Kind.BUDGET_80, Kind.BUDGET_100):
        full = alert.kind == Kind.BUDGET_100
        lead = _("A budget is used up: %(name)s.") if full else _("A budget is nearly used up: %(name)s.")
        more = _("%(used)s of %(limit)s, %(percent)s percent.") % {
            name: facts.get(name, "?") for name in ("used", "limit", "percent")
        }
        return Words(lead % {"name": alert.subject_name}, more)
    if alert.kind == Kind.PROVIDER:
        why = call_words.error(str(facts.get("reason", "")))
        return Words(_("%(name)s does not answer.") % {"name": alert.subject_name}, why)
    if alert.kind == Kind.ERRORS:
        figures = {name: facts.get(name, "?") for name in ("failed", "answers", "percent")}
        return Words(_("Many answers fail."), _("%(failed)s of the last %(answers)s, %(percent)s percent.") % figures)
    if alert.kind == Kind.QUEUE:
        figures = {name: facts.get(name, "?") for name in ("seconds", "waiting")}
        return Words(
            _("Questions wait for long."), _("The first of %(waiting)s has waited for %(seconds)s s.") % figures
        )
    if alert.kind == Kind.PRICE:
        more = _("%(calls)s calls of the last day have no cost.") % {"calls": facts.get("calls", "?")}
        return Words(_("No price is known for %(name)s.") % {"name": alert.subject_name}, more)
    return _plain(alert)


def _plain(alert: Alert) -> Words:
    if alert.kind == Kind.WORKERS:
        return Words(_("No worker is there: nothing is answered."), _("Questions are kept and wait."))
    if alert.kind == Kind.WORKER_LOST:
        more = _("Nothing has been heard of it; others go on with its answers.")
        return Words(_("A worker is gone: %(name)s.") % {"name": alert.subject_name}, more)
    if alert.kind == Kind.LEDGER:
        more = _("%(n)s places. Run manage.py check_ledger on the server, and report it.") % {
            "n": alert.facts.get("drifts", "?")
        }
        return Words(_("The ledger does not agree with its counters."), more)
    return Words(_("This is a test: alerts arrive here."))


def of_message(row: AlertMessage) -> Words:
    """As a message says it."""
    words = of(row.alert)
    if row.what == AlertMessage.What.WELL:
        return Words(_("All well again: %(what)s") % {"what": words.lead})
    if row.what == AlertMessage.What.STILL:
        return Words(_("Still so: %(what)s") % {"what": words.lead}, words.more)
    return words


def in_language(row: AlertMessage, *, language: str) -> Words:
    """The same in another language than the reader's."""
    with translation.override(language):
        return of_message(row)


def link(alert: Alert) -> str:
    """Where to look; "" while the installation does not know its own address."""
    return f"{settings.PUBLIC_URL}{way(alert)}" if settings.PUBLIC_URL else ""


def way(alert: Alert) -> str:
    """The page that shows more."""
    pages = {
        Kind.BUDGET_80: "limits:all",
        Kind.BUDGET_100: "limits:all",
        Kind.PROVIDER: "providers:overview",
        Kind.PRICE: "prices:overview",
        Kind.ERRORS: "calls:overview",
    }
    page = reverse(pages.get(Kind(alert.kind), "alerts:overview"))
    return f"{page}?outcome=failed" if alert.kind == Kind.ERRORS else page
