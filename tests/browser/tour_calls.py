"""Pages of the log of calls for the tour: calls that ended in every way, one with a long life."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.tour import Tour

MAKE = """
import datetime as dt, random, uuid
from django.utils import timezone
from accounts.models import Team, User
from usage.models import CallLine, Invocation, LedgerEntry, Quota, QuotaPeriod, Reservation, ReservationLine
email, team, names = given
ada, sales, now, dice = User.objects.get(email=email), Team.objects.get(uuid=team), timezone.now(), random.Random(5)
mine = uuid.uuid5(uuid.NAMESPACE_URL, email)
def call(minutes, request_id=None, **fields):
    at = now - dt.timedelta(minutes=minutes)
    took = dice.randrange(900, 40_000)
    given = dict(request_id=request_id or uuid.uuid4(), source="page", person=ada.uuid,
        person_name=ada.get_full_name() or email, queue_ms=dice.randrange(900),
        team=sales.uuid, team_name=sales.name, created_at=at, finished_at=at + dt.timedelta(milliseconds=took),
        ttft_ms=dice.randrange(200, 2_000), duration_ms=took, outcome="done", attempts=1, input_tokens=dice.randrange(40, 9_000),
        output_tokens=dice.randrange(10, 2_000), model_name=dice.choice(names), provider_name="OpenAI", currency="USD",
        organisation_currency="USD", cost_micro=dice.randrange(200, 90_000))
    given["organisation_cost_micro"] = given["cost_micro"]
    return Invocation.objects.create(**given | fields)
if not Invocation.objects.filter(request_id=mine).exists():
    for minutes in range(3, 60, 7):
        call(minutes)
    none = dict(ttft_ms=None, input_tokens=0, output_tokens=0, cost_micro=None, organisation_cost_micro=None)
    call(11, outcome="failed", error_kind="bad_key", **none)
    call(23, outcome="interrupted", error_kind="worker_lost")
    call(31, outcome="cancelled")
    call(38, outcome="refused", error_kind="limit_reached", queue_ms=None, provider_name="", duration_ms=0, **none)
    call(44, source="title")
    call(52, source="api", person=None, person_name="", team=None, team_name="")
    long = call(1, mine, attempts=3, tries=2, outcome="failed", error_kind="server_error", ttft_ms=None, reasoning_tokens=9,
        cached_tokens=12, currency="CNY", cost_micro=140_000, organisation_cost_micro=20_000, rate_micro=142_857, estimated=True)
    for seconds, kind, reason, detail, attempt in ((1, "fell_back", "limit_reached", "gpt-large", 1),
            (2, "failed", "rate_limit", "HTTP 429", 1),
            (2, "retried", "rate_limit", "", 1), (4, "claimed", "", "", 2), (4.2, "dispatched", "", "", 2), (9, "lost", "", "", 2),
            (10, "claimed", "", "", 3), (10.1, "dispatched", "", "", 3), (11, "failed", "server_error", "HTTP 502", 3)):
        CallLine.objects.create(request_id=mine, at=long.created_at + dt.timedelta(seconds=seconds), kind=kind, reason=reason,
            detail=detail, attempt=attempt)
    at = long.created_at
    hold = Reservation.objects.create(request_id=mine, source="page", state="settled", created_at=at, closed_at=at, lines=1,
        input_tokens=1_300, output_tokens=4_000)
    quota = Quota.objects.filter(scope="each", unit="requests").first()
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    period, _new = QuotaPeriod.objects.get_or_create(quota=quota, subject=ada.uuid, starts_at=day,
        defaults={"ends_at": day + dt.timedelta(days=1), "used": 1})
    ReservationLine.objects.create(reservation=hold, period=period, amount=1, used=1)
    for kind, attempt in (("attempt", 2), ("settle", 3)):
        LedgerEntry.objects.create(request_id=mine, kind=kind, attempt=attempt, reserved_at=at, at=long.finished_at, source="page",
            input_tokens=900, organisation_currency="USD", organisation_cost_micro=10_000, overrun=kind == "attempt")
from portal.models import Alert, AlertMessage, AlertSettings
if not Alert.objects.filter(subject="tour").exists():
    AlertSettings.objects.get_or_create(pk=1, defaults={"webhook_url": "https://alerts.example.com/portal", "emails": "ops@example.com"})
    for kind, name, facts in (("provider", "OpenAI", {"reason": "bad_key"}), ("errors", "", {"failed": 6, "answers": 24, "percent": 25})):
        alert = Alert.objects.create(kind=kind, subject="tour", subject_name=name, facts=facts, opened_at=now, seen_at=now, told_at=now)
        hook = (False, "https://alerts.example.com/portal", "failed", "HTTP 500")
        for by_mail, to, state, error in ((True, "ops@example.com", "sent", ""), hook):
            AlertMessage.objects.create(alert=alert, what="raised", by_mail=by_mail, to=to, at=now, due_at=now, state=state, error=error)
answer = str(mine)
"""
NAMES = {"en": ["Thorough", "Quick"], "zh-hans": ["深思", "快速"]}


def pages(tour: Tour, language: str, *, team: str) -> dict[str, str]:
    """Addresses by name; limits and teams are there already."""
    home = tour.site.url()
    mine = tour.site.django(MAKE, [tour.people[language].email, team, NAMES[language]])
    return {
        "setup-calls": f"{home}/setup/calls/",
        "setup-calls-further": f"{home}/setup/calls/?source=page",
        "setup-calls-none": f"{home}/setup/calls/?q=nothing",
        "setup-alerts": f"{home}/setup/alerts/",
        "setup-call": f"{home}/setup/calls/{mine}/",
        "my-team-calls": f"{home}/me/team/{team}/calls/",
        "my-team-call": f"{home}/me/team/{team}/calls/{mine}/",
    }
