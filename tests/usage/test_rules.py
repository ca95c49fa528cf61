"""Limits are made, changed and removed with an event each; a raise ends by itself; a request for more is answered once."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from accounts import clock
from accounts.models import AuditEvent
from accounts.refusals import NotPossible
from tests.usage import making
from usage import limits, quotas, rules
from usage.limit_models import Quota, QuotaGrant, QuotaRequest

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
DAILY: dict[str, Any] = {"scope": "each", "unit": "requests", "period": "day", "amount": 200}


def told() -> list[tuple[str, dict[str, Any]]]:
    return list(AuditEvent.objects.order_by("number").values_list("action", "changes"))


def test_a_limit_made_changed_and_removed_tells_before_and_after() -> None:
    root = making.person("root")
    quota = rules.make(**DAILY, by=root)
    rules.change(quota, by=root, amount=300, at_limit="warn")
    rules.change(quota, by=root, amount=300)  # nothing changes, nothing is told
    rules.remove(Quota.objects.get(), by=root)
    rules.remove(Quota.objects.get(), by=root)
    actions, changes = zip(*told(), strict=True)
    assert actions == ("limit.added", "limit.changed", "limit.removed")
    assert changes[0]["amount"] == [None, 200]
    assert changes[1] == {"amount": [200, 300], "at_limit": ["block", "warn"]}
    assert changes[2]["amount"] == [300, None]
    assert limits.standing(person=root.uuid, now=making.NOW).limits == ()


def test_a_removed_limit_can_be_made_again() -> None:
    rules.remove(rules.make(**DAILY))
    assert rules.make(**DAILY).pk != Quota.objects.order_by("pk")[0].pk


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"amount": -1}, "amount"),
        ({"amount": 10**16}, "amount"),
        ({"scope": "person"}, "scope"),
        ({"period": "none"}, "period"),
        ({"unit": "at_once"}, "period"),
        ({"at_limit": "switch"}, "switch_to"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_in_words(given: dict[str, Any], code: str) -> None:
    with pytest.raises(NotPossible) as caught:
        rules.make(**{**DAILY, **given})
    assert caught.value.code == code
    assert not Quota.objects.exists()


def test_two_of_one_kind_are_refused_and_another_set_of_models_is_another_kind() -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    rules.make(**DAILY, models=[one, two])
    with pytest.raises(NotPossible, match="taken"):
        rules.make(**DAILY, models=[two, one])
    other = rules.make(**DAILY, models=[one])
    with pytest.raises(NotPossible, match="taken"):
        rules.change(other, models=[one, two])
    with pytest.raises(TypeError):
        rules.change(other, unit="tokens")


def test_a_limit_for_a_person_says_whom_it_concerns() -> None:
    ada = making.person()
    quota = rules.make(scope="person", subject=ada, unit="requests", period="day", amount=5)
    assert quota.subject_name == "Ada <ada@example.com>"
    assert AuditEvent.objects.get().concerns == ada.uuid


def test_a_request_is_granted_for_a_while_and_only_once() -> None:
    ada, root = making.person("ada"), making.person("root")
    quota = rules.make(**DAILY)
    asked = rules.ask(quota, person=ada, reason="  the report  ", amount=50)
    with pytest.raises(NotPossible, match="asked"):
        rules.ask(quota, person=ada, reason="again")
    now = clock.now()
    given = rules.decide(asked, by=root, amount=40, until=now + HOUR, answer="for today")
    assert given is not None
    assert (given.subject, given.amount, given.reason) == (ada.uuid, 40, "the report")
    row = QuotaRequest.objects.get()
    assert (row.state, row.grant, row.answer, row.decided_by) == ("granted", given, "for today", root.uuid)
    (limit,) = limits.standing(person=ada.uuid, now=clock.now()).limits
    assert limit.cap == 240
    assert limits.standing(person=ada.uuid, now=now + 2 * HOUR).limits[0].cap == 200
    with pytest.raises(NotPossible, match="answered"):
        rules.decide(asked, by=root)
    assert QuotaGrant.objects.count() == 1
    assert [action for action, _ in told()] == ["limit.added", "limit.asked", "limit.raised"]


def test_a_request_for_a_pool_raises_the_pool_and_a_refused_one_raises_nothing() -> None:
    ada, root = making.person("ada"), making.person("root")
    sales = making.team("Sales", ada)
    quota = rules.make(scope="team", subject=sales, unit="tokens", period="day", amount=10)
    refused = rules.ask(quota, person=ada, reason="x")
    assert rules.decide(refused, by=root, answer="no") is None
    assert not QuotaGrant.objects.exists()
    again = rules.ask(quota, person=ada, reason="x")
    given = rules.decide(again, by=root, amount=5, until=clock.now() + HOUR)
    assert given is not None
    assert given.subject == sales.uuid


def test_a_raise_that_is_none_is_refused() -> None:
    quota = rules.make(**DAILY)
    for amount, until in ((0, HOUR), (5, -HOUR)):
        with pytest.raises(NotPossible):
            rules.grant(quota, amount=amount, until=clock.now() + until)
    with pytest.raises(NotPossible):
        rules.ask(quota, person=making.person(), reason="   ")


def test_with_a_limit_its_open_requests_end() -> None:
    quota = rules.make(**DAILY)
    rules.ask(quota, person=making.person(), reason="x")
    rules.remove(quota)
    assert QuotaRequest.objects.get().state == "refused"


def test_a_correction_needs_a_reason_and_a_call_and_is_told() -> None:
    ada, root = making.person("ada"), making.person("root")
    given = making.hold(ada)
    making.reserve(given)
    quotas.settle([making.call(given)], now=making.NOW)
    entry = rules.correct(given.request_id, tokens=(-10, 0), reason="counted twice", by=root)
    event = AuditEvent.objects.get()
    assert (event.action, event.concerns, event.changes["input_tokens"]) == ("ledger.corrected", ada.uuid, [None, -10])
    assert (entry.by, entry.reason) == (root.uuid, "counted twice")
    for call, tokens, reason, code in (
        (given.request_id, (0, 0), " ", "reason"),
        (making.new(), (0, 0), "x", "gone"),
        (given.request_id, (-81, 0), "x", "amount"),
    ):
        with pytest.raises(NotPossible, match=code):
            rules.correct(call, tokens=tokens, reason=reason, by=root)
    assert AuditEvent.objects.count() == 1
