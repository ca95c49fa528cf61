"""usage/ and quotas/: one's own figures, as much of them as the organisation shows, and what limits this very credential."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from accounts.clock import now
from accounts.models import Organisation, User
from tests.api.conftest import Call, key_of, problem, token_of
from tests.usage.making import limit, new
from usage.models import LedgerEntry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shows_money(db: None) -> None:
    Organisation.get()
    Organisation.objects.update(usage_shown="money", time_zone="Asia/Shanghai", currency="USD")


def used(who: User, *, days: int = 0, cost: int | None = 1_500_000) -> None:
    at = now() - dt.timedelta(days=days)
    LedgerEntry.objects.create(
        request_id=new(), kind="settle", reserved_at=at, at=at, source="api", person=who.uuid, model_name="Quick",
        input_tokens=100, output_tokens=20, organisation_currency="USD" if cost is not None else "",
        organisation_cost_micro=cost,
    )  # fmt: skip


def test_usage_is_the_owners_by_day_and_model(call: Call, ada: User, program: User) -> None:
    used(ada)
    used(ada, cost=None)
    used(ada, days=40)
    used(program)
    found = call("GET", "usage/", credential=key_of(ada, scopes=["usage"])).json()
    (day,) = found["items"]
    assert (day["model"], day["requests"], day["input_tokens"], day["output_tokens"]) == ("Quick", 2, 200, 40)
    assert (day["cost_micro"], day["requests_without_price"]) == (1_500_000, 1)
    assert found["total"] == {"requests": 2, "tokens": 240, "requests_without_price": 1, "cost_micro": 1_500_000}
    assert (found["currency"], found["time_zone"]) == ("USD", "Asia/Shanghai")
    assert len(call("GET", "usage/?days=60", credential=token_of(ada)).json()["items"]) == 2


@pytest.mark.parametrize("query", ["days=0", "days=367", "days=x", "day=3"])
def test_a_span_that_is_none_is_refused_by_name(call: Call, ada: User, query: str) -> None:
    answer = call("GET", f"usage/?{query}", credential=token_of(ada))
    assert problem(answer, 400, "invalid")["errors"].keys() == {query.partition("=")[0]}


def test_where_money_is_not_shown_no_cost_leaves(call: Call, ada: User) -> None:
    Organisation.objects.update(usage_shown="tokens")
    used(ada)
    answer = call("GET", "usage/", credential=token_of(ada))
    assert b"cost_micro" not in answer.content
    assert answer.json()["currency"] is None


def ones(answer: Any) -> dict[str, Any]:
    return {each["scope"]: each for each in answer.json()["items"]}


def test_quotas_are_those_of_this_credential_and_how_they_stand(call: Call, ada: User) -> None:
    limit(200)
    mine = limit(3, scope="person", subject=ada)
    secret = key_of(ada, scopes=["usage"])
    limit(1, scope="key", subject=ada.api_keys.get())
    used(ada)
    found = ones(call("GET", "quotas/", credential=secret))
    assert (found["each"]["applies"], found["each"]["why"]) == (False, "own"), "the own one stands in for it"
    own = found["person"]
    assert (own["id"], own["applies"], own["limit"], own["used"], own["held"], own["left"]) == (
        str(mine.uuid), True, 3, 1, 0, 2,
    )  # fmt: skip
    assert (own["unit"], own["period"], own["models"], own["used_percent"]) == ("requests", "day", None, 33)
    assert own["resets_at"].endswith("T16:00:00Z"), "midnight in Shanghai"
    assert (own["why"], found["key"]["why"], found["key"]["applies"]) == ("own", "key", True)
    assert "key" not in ones(call("GET", "quotas/", credential=token_of(ada)))


def test_as_a_share_no_amount_leaves(call: Call, ada: User) -> None:
    Organisation.objects.update(usage_shown="share")
    limit(4)
    used(ada)
    (only,) = call("GET", "quotas/", credential=token_of(ada)).json()["items"]
    assert (only["used_percent"], only["held_percent"]) == (25, 0)
    assert not {"limit", "used", "held", "left"} & set(only)


@pytest.mark.parametrize("path", ["usage/", "quotas/"])
def test_a_key_without_the_scope_sees_nothing(call: Call, ada: User, path: str) -> None:
    problem(call("GET", path, credential=key_of(ada, scopes=["chat"])), 403, "forbidden")
