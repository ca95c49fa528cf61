"""The pages of limits: a sentence with its preview, changes, bulk and files, requests with one click, who is limited by what and why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.clock import now
from accounts.models import AuditEvent, Organisation, Team, User
from accounts.people_rights import give
from providers.models import LanguageModel
from tests.accounts.test_setup_views import signed_in
from tests.usage import making
from tests.usage.making import limit, team
from usage import limits, moments, overview, quotas, rules
from usage.limit_models import Quota, QuotaRequest
from usage.models import LedgerEntry

pytestmark = pytest.mark.django_db
PAGE, NEW, FILE = "/setup/limits/", "/setup/limits/new/", "/setup/limits/file/"
SENTENCE = {"whom": "each", "amount": "50", "unit": "requests", "period": "day", "at_limit": "block"}


def person(name: str, **fields: Any) -> User:
    return User.objects.create(email=f"{name}@example.com", name=name.title(), password="!", language="en", **fields)


@pytest.fixture
def admin() -> Client:
    Organisation.get()
    return signed_in(User.objects.create_superuser("root@example.com", name="Root", language="en", time_zone="UTC"))


@pytest.fixture
def quick() -> LanguageModel:
    return LanguageModel.objects.create(slug="quick", name="Quick", enabled=True)


def used(who: User, requests: int = 1, **fields: Any) -> None:
    at = now()
    LedgerEntry.objects.create(
        request_id=making.new(), kind="settle", reserved_at=at, at=at, source="page", person=who.uuid, requests=requests,
        **fields,
    )  # fmt: skip


def shown(client: Client, url: str = PAGE, **query: str) -> str:
    return str(client.get(url, query).content.decode())


def say(client: Client, *, do: str = "make", **fields: str) -> Any:
    return client.post(NEW, SENTENCE | fields | {"do": do})


def test_who_may_set_limits_is_a_right_of_its_own(quick: LanguageModel) -> None:
    staff = person("staff", is_staff=True)
    client = signed_in(staff)
    mine = limit(9)
    pages = [
        PAGE,
        NEW,
        f"{PAGE}export/",
        reverse("limits:change", args=[mine.uuid]),
        reverse("limits:why", args=[staff.uuid]),
    ]
    for page in pages:
        assert client.get(page).status_code == 403
        assert Client().get(page).status_code == 302
    assert say(client).status_code == 403
    assert client.post(reverse("limits:remove", args=[mine.uuid])).status_code == 403
    give(staff, bundles=["limits"])
    assert [signed_in(staff).get(page).status_code for page in pages] == [200] * len(pages)


def test_a_sentence_becomes_a_limit_that_acts_on_the_next_question(admin: Client, quick: LanguageModel) -> None:
    ada = person("ada")
    support = team("Support", ada)
    answer = admin.post(NEW, SENTENCE | {
        "whom": f"member:{support.uuid}", "amount": "2.50", "unit": "cost", "period": "month", "model": str(quick.uuid),
        "at_limit": "warn", "do": "make",
    }, follow=True)  # fmt: skip
    assert "Made: Each member of Support may use $2.50 a month of Quick, then it only warns." in answer.content.decode()
    (applies,) = limits.standing(person=ada.uuid, now=now()).limits
    assert (applies.scope, applies.unit, applies.amount, applies.models) == (
        "member",
        "cost",
        2_500_000,
        frozenset({quick.uuid}),
    )
    assert AuditEvent.objects.filter(action="limit.added").count() == 1


@pytest.mark.parametrize(
    ("fields", "scope", "unit", "period"),
    [
        ({"whom": "organisation"}, "organisation", "requests", "day"),
        ({"whom": "person", "person": "ada@example.com"}, "person", "requests", "day"),
        ({"unit": "at_once", "amount": "3"}, "each", "at_once", "none"),
    ],
)
def test_every_kind_of_sentence_can_be_said(
    admin: Client, fields: dict[str, str], scope: str, unit: str, period: str
) -> None:
    person("ada")
    assert say(admin, **fields).status_code == 302
    quota = Quota.objects.get()
    assert (quota.scope, quota.unit, quota.period) == (scope, unit, period)


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": "-1"}, {"amount": "1.5"}, {"amount": "many"}, {"amount": "9" * 20}, {"whom": "person"}, {"whom": "nobody"},
        {"whom": "person", "person": "nobody@example.com"}, {"at_limit": "switch"}, {"unit": "cost", "amount": "1,000"},
        {"whom": "team:00000000-0000-4000-8000-000000000000"}, {"model": "x"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(admin: Client, fields: dict[str, str]) -> None:
    assert say(admin, **fields).status_code == 422
    assert not Quota.objects.exists()


def test_the_preview_says_whom_it_touches_and_who_would_be_over_it(admin: Client) -> None:
    ada, bob = person("ada"), person("bob")
    person("carla", is_active=False)
    used(ada, 51)
    used(bob, 50)
    limit(7, scope="person", subject=bob)
    text = say(admin, do="look").content.decode()
    assert "It touches 2 accounts or pools." in text  # Ada and the administrator
    assert "1 has a limit that goes before it." in text
    assert "1 would be over it now:" in text
    assert "Ada: 51 questions" in text
    assert Quota.objects.count() == 1
    everybody = say(admin, do="look", whom="organisation", amount="100").content.decode()
    assert "101 questions" in everybody
    assert "Nobody would be over it now." in say(admin, do="look", whom="organisation", amount="200").content.decode()


def test_a_limit_of_the_same_kind_is_changed_not_doubled(admin: Client) -> None:
    say(admin)
    again = say(admin, amount="60")
    assert again.status_code == 422
    quota = Quota.objects.get()
    url = reverse("limits:change", args=[quota.uuid])
    assert admin.post(url, {"amount": "60", "at_limit": "warn"}).status_code == 302
    assert admin.post(url, {"amount": "x", "at_limit": "warn"}).status_code == 422
    quota.refresh_from_db()
    assert (quota.amount, quota.at_limit) == (60, "warn")
    assert AuditEvent.objects.get(action="limit.changed").changes["amount"] == [50, 60]
    admin.post(reverse("limits:remove", args=[quota.uuid]))
    assert admin.get(url).status_code == 404
    assert limits.standing(person=None, now=now()).limits == ()


def test_many_limits_are_changed_together_or_not_at_all(admin: Client) -> None:
    first, second = limit(50), limit(200, "tokens")
    chosen = [str(first.uuid), str(second.uuid)]
    admin.post(f"{PAGE}many/", {"limit": chosen, "do": "percent", "percent": "10"})
    assert list(Quota.objects.order_by("pk").values_list("amount", flat=True)) == [55, 220]
    assert admin.post(f"{PAGE}many/", {"limit": chosen, "do": "percent"}).status_code == 422
    admin.post(f"{PAGE}many/", {"limit": [chosen[0], "nonsense"], "do": "remove"})
    assert list(Quota.objects.filter(removed_at=None)) == [second]


def test_the_page_shows_how_people_and_pools_stand(admin: Client) -> None:
    ada = person("ada")
    support = team("Support", ada)
    used(ada, 9, team=support.uuid)
    limit(10)
    limit(3, scope="member", subject=support, unit="tokens")
    limit(20, scope="team", subject=support, subject_name="Support")
    text = shown(admin)
    assert "The team Support together" in text
    assert "9 of 20 used · 11 left" in text
    assert "9 of 10 used · 1 left" in text
    assert "Nobody found." in shown(admin, q="nobody")


def test_bars_of_the_page_say_what_one_by_one_says(admin: Client) -> None:

    ada, bob = person("ada"), person("bob")
    support = team("Support", ada)
    for quota in (
        limit(10),
        limit(90, scope="member", subject=support),
        limit(5, scope="person", subject=bob),
        limit(3, "tokens"),
    ):
        rules.grant(quota, amount=1, until=now() + dt.timedelta(hours=1), subject=bob.uuid)
    used(ada, 4, input_tokens=7)
    used(bob, 2)
    moment = now()
    tz = moments.zone(Organisation.get())
    for standing in overview.people([ada, bob], overview.active(), now=moment, tz=tz):
        alone = limits.standing(person=standing.person.uuid, now=moment).limits
        assert {(each.quota, each.cap) for each in standing.limits} == {(each.quota, each.cap) for each in alone}
    used_by = {
        each.person.name: [limit.used for limit in each.limits]
        for each in overview.people([ada, bob], overview.active(), now=moment, tz=tz)
    }
    assert {name: sorted(values) for name, values in used_by.items()} == {"Ada": [4, 7], "Bob": [0, 2]}


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_asks_the_same_number_of_times_for_any_number_of_people(
    admin: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    limit(10)
    for n in range(count):
        used(person(f"p{n}"))
    admin.get(PAGE)
    with django_assert_num_queries(11):
        admin.get(PAGE)


def asked(by: User, quota: Quota, **fields: Any) -> QuotaRequest:
    return rules.ask(quota, person=by, reason="The report is due", **fields)


def test_more_is_granted_with_one_click_until_the_period_ends(admin: Client) -> None:
    ada = person("ada")
    quota = limit(10)
    request = asked(ada, quota, amount=5)
    assert "Grant Ada 5 questions more" in shown(admin)
    url = reverse("limits:answer", args=[request.uuid])
    answer = admin.post(url, {"do": "grant"}, follow=True).content.decode()
    assert "Ada has 5 questions more until tomorrow at 00:00" in answer
    (applies,) = limits.standing(person=ada.uuid, now=now()).limits
    assert (applies.cap, applies.granted) == (15, 5)
    assert "answered this already" in admin.post(url, {"do": "grant"}, follow=True).content.decode()
    assert "granted" in signed_in(ada).get("/me/usage/").content.decode()


def test_a_request_is_answered_in_detail_or_refused_with_a_word(admin: Client) -> None:
    ada = person("ada")
    detail = asked(ada, limit(2_000_000, "cost", "month"))
    url = reverse("limits:answer", args=[detail.uuid])
    assert 'value="1"' in admin.get(url).content.decode()
    assert admin.post(url, {"do": "grant", "amount": "0"}).status_code == 422
    admin.post(url, {"do": "grant", "amount": "3.50", "answer": "For the fair."})
    detail.refresh_from_db()
    assert (detail.grant.amount if detail.grant else 0, detail.answer) == (3_500_000, "For the fair.")
    refused = asked(ada, limit(5))
    admin.post(reverse("limits:answer", args=[refused.uuid]), {"do": "refuse", "answer": "Not this week."})
    refused.refresh_from_db()
    assert (refused.state, refused.answer) == ("refused", "Not this week.")


def test_it_is_said_which_limits_apply_to_whom_and_why(admin: Client) -> None:
    ada = person("ada")
    support, other = team("Support", ada), team("Audit", ada, pays=False)
    limit(10)
    limit(90, scope="member", subject=support, subject_name="Support")
    limit(7, scope="team", subject=other, subject_name="Audit")
    text = shown(admin, reverse("limits:why", args=[ada.uuid]))
    applies, _heading, back = text.partition("These do not")
    assert "Each member of Support" in applies
    assert "The team Support pays." in applies
    assert "more generous one of a team, stands in its place" in back
    assert "Another team pays for this person" in back
    assert Team.objects.count() == 2


def call_of(ada: User) -> LedgerEntry:

    hold = making.reserve(making.hold(ada), now=now())
    quotas.settle([making.call(hold, now=now())], now=now())
    return LedgerEntry.objects.get(request_id=hold.request_id)


def test_a_correction_is_an_entry_with_a_reason_and_nothing_is_overwritten(admin: Client) -> None:
    ada = person("ada")
    limit(1_000, "tokens")
    entry = call_of(ada)
    url = reverse("limits:correct", args=[entry.uuid])
    assert admin.post(url, {"reason": "Nothing"}).status_code == 422
    assert admin.post(url, {"tokens_out": "-9999", "reason": "Too much"}).status_code == 422
    assert admin.post(url, {"tokens_out": "-50", "reason": "The answer was empty"}).status_code == 302
    rows = LedgerEntry.objects.order_by("pk").values_list("kind", "output_tokens", "reason")
    assert list(rows) == [("settle", 50, ""), ("correction", -50, "The answer was empty")]
    (applies,) = limits.standing(person=ada.uuid, now=now()).limits
    assert applies.used == 90
    assert AuditEvent.objects.filter(action="ledger.corrected").count() == 1
    assert "The answer was empty" in shown(admin, reverse("limits:why", args=[ada.uuid]))


def upload(client: Client, text: str) -> str:
    return str(client.post(FILE, {"file": SimpleUploadedFile("x.csv", text.encode())}).content.decode())


def test_limits_come_and_change_by_a_file_that_is_looked_at_first(admin: Client, quick: LanguageModel) -> None:
    ada = person("ada")
    support = team("Support", ada)
    limit(50)
    limit(9, "cost", "month", scope="person", subject=ada, at_limit="switch", switch_to=quick.uuid)
    file = admin.get(f"{PAGE}export/").content.decode("utf-8-sig")
    assert "0 new · 2 there already · 0 wrong" in upload(admin, file)
    text = file.replace("each,,requests,50", "each,,requests,60") + "member,Support,tokens,1000,week,quick,warn,\n"
    assert "2 new · 1 there already · 0 wrong" in upload(admin, text)
    assert Quota.objects.count() == 2
    admin.post(FILE, {"text": text})
    rows = Quota.objects.order_by("pk").values_list("scope", "amount", "at_limit")
    assert list(rows) == [("each", 60, "block"), ("person", 9, "switch"), ("member", 1000, "warn")]
    assert Quota.objects.get(scope="member").subject == support.uuid


@pytest.mark.parametrize(
    "line",
    ["nobody,,requests,1,day", "person,x@example.com,requests,1,day", "team,Nowhere,requests,1,day", "each,,votes,1,day",
     "each,,requests,-1,day", "each,,requests,1_0,day", "each,,requests,1,year", "each,,requests,1,day,gpt-9",
     "each,,requests,1,day,,explode", "each,,requests,1,day,,switch"],
)  # fmt: skip
def test_a_line_that_makes_no_sense_is_told(admin: Client, line: str) -> None:
    head = "for,name,what,amount,per,models,then\n"
    assert "0 new · 0 there already · 1 wrong" in upload(admin, head + line + "\n")
    assert not Quota.objects.exists()


def test_the_organisation_chooses_what_colleagues_see(admin: Client) -> None:
    admin.post(f"{PAGE}shown/", {"usage_shown": "money"})
    admin.post(f"{PAGE}shown/", {"usage_shown": "secret"})
    assert Organisation.get().usage_shown == "money"
    assert AuditEvent.objects.get(action="organisation.changed").changes == {"usage_shown": ["share", "money"]}


def test_the_first_steps_ask_to_look_at_the_limits(admin: Client) -> None:
    rules.first_limits()
    assert 'href="/setup/limits/">Set a limit</a>' in shown(admin, "/setup/")
    say(admin, unit="tokens", amount="100000")
    assert 'href="/setup/limits/">Set a limit</a>' not in shown(admin, "/setup/")
