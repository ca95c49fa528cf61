"""The letter on the first: once, to whoever was chosen and may see it, in her language; and months that close by themselves."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from accounts import clock, mail_sender
from accounts.models import AuditEvent, Mail, Team, User
from accounts.people_rights import give
from portal import month_letters, tasks
from portal.models import MonthLetter, MonthReader, MonthRules, PeriodicJob
from providers.models import LanguageModel
from tests.accounts.crowd import actions, person, root, signed_in
from tests.chat import scene
from tests.portal.test_alerts import with_mail
from tests.usage import month_rows
from tests.usage.month_rows import BERLIN, ENDS, MIDDLE, OCTOBER, corrected, held, used
from usage import month_closing, months
from usage.models import ClosedMonth

__all__ = ["with_mail"]
pytestmark = pytest.mark.django_db
LIST = "/setup/months/"
SIX = ENDS + dt.timedelta(hours=6)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def set_up(with_mail: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    month_rows.berlin()
    settings.PUBLIC_URL = "https://chat.example.com"
    monkeypatch.setattr(clock, "now", lambda: SIX)


def reader(name: str, language: str = "en", *, may: bool = True) -> User:
    made = person(name, is_staff=True, language=language)
    if may:
        give(made, bundles=["months"])
    MonthReader.objects.create(user=made)
    return made


def scenery() -> None:
    ada, sales = person("ada"), Team.objects.create(name="=Sales", cost_centre="4711")
    gpt = LanguageModel.objects.create(slug="g", name="GPT")
    corrected(used(person=ada, team=sales, model=gpt), -100_000, at=MIDDLE)
    used(person=ada, own=None, micro=None)


@pytest.mark.parametrize(
    ("at", "goes"), [(SIX - MINUTE, 0), (SIX, 1), (SIX + dt.timedelta(days=12), 1), (ENDS + dt.timedelta(days=29), 1)]
)
def test_it_goes_on_the_first_at_six_or_later_if_nobody_was_there(at: dt.datetime, goes: int) -> None:
    scenery()
    reader("mary")
    assert month_letters.run(now=at) == {"closed": 0, "letters": goes}
    assert month_letters.run(now=at + MINUTE)["letters"] == 1 - goes  # once, or a minute later
    assert Mail.objects.count() == 1


def test_one_month_later_the_next_one_goes_and_none_is_made_up_for() -> None:
    scenery()
    reader("mary")
    assert month_letters.run(now=SIX)["letters"] == 1
    assert (
        month_letters.run(now=SIX + dt.timedelta(days=70))["letters"] == 1
    )  # January: of December, not of November too
    assert list(MonthLetter.objects.order_by("first").values_list("first", flat=True)) == [
        OCTOBER,
        dt.date(2026, 12, 1),
    ]


def test_each_reader_gets_it_in_her_language_with_totals_link_and_a_table_without_names() -> None:
    scenery()
    reader("mary")
    reader("wei", "zh-hans")
    month_letters.run(now=SIX)
    mail_sender.deliver_due()
    english, chinese = sorted(outbox.outbox, key=lambda letter: letter.to)
    assert english.to == ["mary@example.com"]
    assert english.subject == "Chat: month report, October 2026"
    for said in ("$1.90", "-$0.10", "Calls: 2", "1 call is of unknown cost.", "The month is not closed yet.", "=Sales: $1.90",
                 "https://chat.example.com/setup/months/2026-10/"):  # fmt: skip
        assert said in english.body, said
    assert "2026年10月" in chinese.subject
    for letter in (english, chinese):
        assert isinstance(letter, EmailMultiAlternatives)
        (name, content, kind) = letter.attachments[0]
        assert (name, kind) == ("2026-10.csv", "text/csv")
        assert "'=Sales" in content
        assert "4711" in content
        assert "Ada" not in f"{letter.body}{letter.alternatives[0][0]!s}{content!s}"


def test_only_whoever_was_chosen_and_still_may_is_sent_it() -> None:
    scenery()
    reader("mary")
    reader("tom", may=False)
    left, demoted = reader("left"), reader("demoted")
    User.objects.filter(pk=left.pk).update(is_active=False)
    User.objects.filter(pk=demoted.pk).update(is_staff=False)
    give(person("other", is_staff=True), bundles=["months"])  # may, and was not chosen
    MonthReader.objects.create(user=root("boss"))
    assert month_letters.run(now=SIX)["letters"] == 2
    assert sorted(Mail.objects.values_list("to", flat=True)) == ["boss@example.com", "mary@example.com"]


def test_whoever_is_chosen_later_is_sent_the_next_one(settings: Any) -> None:
    scenery()
    assert month_letters.run(now=SIX)["letters"] == 0
    reader("mary")
    assert month_letters.run(now=SIX + MINUTE)["letters"] == 0
    assert month_letters.run(now=SIX + dt.timedelta(days=31))["letters"] == 1


def test_without_mail_nothing_is_written(settings: Any) -> None:
    settings.EMAIL_URL = ""
    scenery()
    reader("mary")
    assert month_letters.run(now=SIX)["letters"] == 0
    assert Mail.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_one_sends_it() -> None:
    scenery()
    reader("mary")
    reader("wei")
    results: list[int] = []

    def work() -> None:
        results.append(month_letters.run(now=SIX)["letters"])

    scene.at_once(*[partial(work) for _ in range(3)])
    assert sorted(results) == [0, 0, 2]
    assert Mail.objects.count() == 2


def test_the_job_runs_it() -> None:
    scenery()
    reader("mary")
    tasks.look_at_months()
    assert MonthLetter.objects.get().letters == 1
    PeriodicJob.objects.update(last_run_at=SIX - dt.timedelta(days=1))
    tasks.look_at_months()
    assert Mail.objects.count() == 1


# --- closing by itself ---------------------------------------------------------------------------------------------------------


def test_by_default_no_month_closes_by_itself() -> None:
    scenery()
    month_letters.run(now=SIX + dt.timedelta(days=400))
    assert ClosedMonth.objects.count() == 0


def test_months_close_by_themselves_so_many_days_after_their_end_where_that_was_chosen() -> None:
    used(MIDDLE - dt.timedelta(days=40))
    scenery()
    MonthRules.objects.create(close_after_days=5)
    assert month_letters.run(now=ENDS + dt.timedelta(days=5) - MINUTE)["closed"] == 1  # September
    assert month_letters.run(now=ENDS + dt.timedelta(days=5))["closed"] == 1
    assert month_letters.run(now=ENDS + dt.timedelta(days=6))["closed"] == 0
    row = ClosedMonth.objects.get(first=OCTOBER)
    assert (row.closed_by, row.sealed) == (None, True)
    assert set(AuditEvent.objects.values_list("action", flat=True)) == {"month.closed_by_itself"}
    assert "closed by itself on" in signed_in(root()).get(f"{LIST}2026-10/").content.decode()


def test_a_month_in_which_a_call_still_runs_waits_for_it() -> None:
    scenery()
    MonthRules.objects.create(close_after_days=1)
    held(MIDDLE)
    assert month_letters.run(now=ENDS + dt.timedelta(days=9))["closed"] == 0
    assert ClosedMonth.objects.count() == 0


def test_a_closed_month_is_told_as_closed() -> None:
    scenery()
    reader("mary")
    month_closing.close(OCTOBER, tz=BERLIN, by=None)
    month_letters.run(now=SIX)
    mail_sender.deliver_due()
    assert "The month is closed." in outbox.outbox[0].body
    assert months.of(OCTOBER, tz=BERLIN).closed is not None


# --- the rules -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def admin() -> Client:
    return signed_in(root())


def test_rules_are_saved_once_and_stand_in_the_trail(admin: Client) -> None:
    mary, tom = person("mary", is_staff=True), person("tom", is_staff=True)
    give(mary, bundles=["months"])
    given = {"close_after_days": "5", "readers": [str(mary.uuid)]}
    for _ in range(2):
        assert "Saved." in admin.post(f"{LIST}rules/", given, follow=True).content.decode()
    assert (month_letters.rules().close_after_days, month_letters.readers()) == (5, [mary])
    assert actions() == ["month.rules_changed"]
    page = admin.get(LIST).content.decode()
    assert "A month closes by itself 5 days after its end." in page
    assert "1 person is sent the report on the first." in page
    assert str(tom.uuid) not in page  # she may not see it, so she is not offered
    for wrong in (
        {"close_after_days": "0"},
        {"close_after_days": "61"},
        {"readers": [str(tom.uuid)]},
        {"readers": ["x"]},
    ):
        assert admin.post(f"{LIST}rules/", wrong).status_code == 422, wrong
    admin.post(f"{LIST}rules/", {})
    assert (month_letters.rules().close_after_days, MonthReader.objects.count()) == (None, 0)
