"""What is kept and what goes: whose rule counts, the dry run, holds, temporary chats, removal in small steps that can be begun again."""

from __future__ import annotations

import datetime as dt
import time
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.http import Http404
from django.test import Client
from django.utils import timezone

from accounts import legal_holds, teams
from accounts.models import AuditEvent, HeldPerson, LegalHold, Membership, Organisation, Team, User
from chat import messages, organising, queries, removal, retention
from chat.models import Conversation, Delta, Generation, Message
from chat.retention import Rules
from tests.accounts.crowd import cost, proved, root, signed_in, staff
from tests.chat import scene
from tests.chat.asking import of, send
from usage.models import Invocation, LedgerEntry, Reservation

pytestmark = pytest.mark.django_db


def organisation(**fields: Any) -> None:
    """Its row may have gone with the test before."""
    Organisation.objects.filter(pk=Organisation.get().pk).update(**fields)


def aged(user: User, days: float, text: str = "old") -> Conversation:
    """A conversation whose last message is so old."""
    home = scene.answered(user, text).conversation
    then = timezone.now() - dt.timedelta(days=days)
    Conversation.objects.filter(pk=home.pk).update(
        updated_at=then, finished_at=then, title_state="none", title_due_at=None
    )
    home.refresh_from_db()
    return home


def sweep() -> dict[str, int]:
    return retention.sweep(now=timezone.now())


def left() -> set[int]:
    return set(Conversation.objects.values_list("pk", flat=True))


def team(name: str, *people: User, days: int | None = None) -> Team:
    made = Team.objects.create(name=name, retention_days=days)
    for each in people:
        teams.join(each, team_id=made.pk)
    return made


def test_without_a_rule_everything_is_kept(ada: User) -> None:
    home = aged(ada, 4000)
    assert sweep() == {"left": 0, "bin": 0, "temporary": 0, "old": 0}
    assert left() == {home.pk}
    assert not AuditEvent.objects.filter(action="retention.removed").exists()


def test_what_is_too_old_goes_and_what_it_used_stays(ada: User) -> None:
    old, young = aged(ada, 31), aged(ada, 29)
    organisation(retention_days=30)
    counted = [model.objects.count() for model in (Invocation, LedgerEntry, Reservation)]
    assert sweep()["old"] == 1
    assert left() == {young.pk}
    assert not Message.objects.filter(conversation=old.pk).exists()
    assert [model.objects.count() for model in (Invocation, LedgerEntry, Reservation)] == counted
    assert AuditEvent.objects.get(action="retention.removed").changes["conversations"] == [1, None]
    assert sweep()["old"] == 0


def test_the_shortest_of_the_teams_rules_counts_and_goes_before_the_organisations(ada: User, bob: User) -> None:
    organisation(retention_days=100)
    short, long = team("Short", ada, days=10), team("Long", ada, bob, days=500)
    for_ever, silent = team("For ever", days=0), team("Silent")
    rules = Rules.present()
    assert rules.shortest([]) == (100, None)
    assert rules.shortest([silent.pk]) == (100, None)
    assert rules.shortest([short.pk, long.pk]) == (10, short.pk)
    assert rules.shortest([long.pk, for_ever.pk]) == (500, long.pk)
    assert rules.shortest([for_ever.pk]) == (0, for_ever.pk)
    assert retention.days_for(ada) == (10, "Short")
    assert retention.days_for(bob) == (500, "Long")
    hers, his = aged(ada, 11), aged(bob, 400)
    assert sweep()["old"] == 1
    assert left() == {his.pk}
    assert hers.pk not in left()


def test_an_answer_that_is_being_written_is_never_touched(ada: User) -> None:
    organisation(retention_days=1, temporary_hours=1)
    sent = scene.ask(ada)
    long_ago = timezone.now() - dt.timedelta(days=9)
    for state in ("queued", "waiting", "streaming"):
        lease = {"lease_owner": scene.new_id(), "lease_expires_at": timezone.now()}
        Generation.objects.filter(pk=sent.generation.pk).update(state=state, **lease)
        Conversation.objects.update(updated_at=long_ago, expires_at=long_ago if state == "queued" else None)
        assert sum(sweep().values()) == 0
    assert Conversation.objects.get().going is False


def test_a_question_sent_while_it_is_looked_at_wins(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    organisation(retention_days=1)
    home = aged(ada, 5)
    take = removal.take

    def late(rows: Any, *, pk: int, now: dt.datetime) -> bool:
        scene.ask(ada, "still here", conversation=home)
        return take(rows, pk=pk, now=now)

    monkeypatch.setattr(removal, "take", late)
    assert sweep()["old"] == 0
    assert left() == {home.pk}
    monkeypatch.setattr(removal, "take", take)
    Conversation.objects.update(going=True, deleted_at=timezone.now())
    home.refresh_from_db()
    with pytest.raises(messages.Refused):
        scene.ask(ada, "too late", conversation=home)


# --- removal in steps ---


def long_chat(user: User, count: int) -> Conversation:
    home = Conversation.objects.create(user=user, deleted_at=timezone.now() - dt.timedelta(days=99))
    rows = Message.objects.bulk_create(
        Message(conversation=home, depth=depth, role="user" if depth % 2 == 0 else "assistant", text="word " * 100)
        for depth in range(count)
    )
    for parent, child in pairwise(rows):
        child.parent = parent
    Message.objects.bulk_update(rows, ["parent"], batch_size=300)
    Conversation.objects.filter(pk=home.pk).update(leaf=rows[-1])
    return home


@pytest.mark.django_db(transaction=True)
def test_no_step_of_removing_a_long_chat_holds_the_writers_place_for_long(ada: User) -> None:
    long_chat(ada, 2_000)
    took: list[float] = []

    def watch(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        begun = time.perf_counter()
        result = execute(sql, params, many, context)
        if sql.startswith(("DELETE", "UPDATE")):
            took.append(time.perf_counter() - begun)
        return result

    with connection.execute_wrapper(watch):
        assert sweep()["bin"] == 1
    assert not Message.objects.exists()
    assert len(took) > 60, "in many steps"
    took.sort()
    assert took[len(took) * 9 // 10] < 0.05, "nine of ten statements take less than 50 ms on a busy machine, too"


def test_whoever_dies_in_the_middle_leaves_what_the_next_run_takes_up(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = long_chat(ada, 200)
    some, steps = removal._some, iter([True, True])

    def dies(pk: int) -> bool:
        next(steps)
        return some(pk)

    monkeypatch.setattr(removal, "_some", dies)
    with pytest.raises(StopIteration):
        sweep()
    assert 0 < Message.objects.count() < 200
    home.refresh_from_db()
    assert (home.going, home.leaf) == (True, None)
    with pytest.raises(Http404):
        queries.binned_for(ada, home.uuid)
    assert queries.bin_list(ada).conversations == []
    organising.restore(ada, conversation=home)
    assert Conversation.objects.get().deleted_at is not None, "nobody takes back half of it"
    monkeypatch.setattr(removal, "_some", some)
    assert sweep()["left"] == 1
    assert not (Message.objects.exists() or Conversation.objects.exists() or Delta.objects.exists())


# --- temporary chats ---


def test_a_temporary_chat_goes_by_itself_and_says_so(ada: User) -> None:
    organisation(temporary_hours=3)
    client = of(ada)
    assert 'name="temporary"' in client.get("/chat/").content.decode()
    sent = send(client, "for a while", temporary="1")
    assert sent.status_code == 202
    home = Conversation.objects.get()
    assert home.expires_at is not None
    assert abs((home.expires_at - timezone.now()).total_seconds() - 3 * 3600) < 60
    shown = client.get(f"/chat/{home.uuid}/").content.decode()
    assert "A temporary chat" in shown
    assert 'name="temporary"' not in shown
    Generation.objects.update(state="failed", finished_at=timezone.now())
    assert sweep()["temporary"] == 0
    Conversation.objects.update(expires_at=timezone.now())
    assert sweep()["temporary"] == 1
    assert left() == set()


def test_a_plain_chat_stays_plain_and_a_repeat_is_the_same_send(ada: User) -> None:
    first = messages.send(ada, text="x", client_id="a" * 12, temporary=True)
    assert messages.send(ada, text="x", client_id="a" * 12, temporary=True).repeated
    with pytest.raises(messages.Refused, match="client_id_reused"):
        messages.send(ada, text="x", client_id="a" * 12)
    scene.Hands().take()
    Generation.objects.update(state="failed", finished_at=timezone.now())
    home = Conversation.objects.get(pk=first.conversation.pk)
    messages.send(ada, text="more", client_id="b" * 12, conversation=home, temporary=True)
    assert scene.ask(ada).conversation.expires_at is None
    assert Client().post("/chat/messages/", {"text": "x", "client_id": "c" * 12, "temporary": "1"}).status_code == 302


# --- legal holds ---


def test_under_a_hold_nothing_goes_by_age_nor_from_the_bin_nor_by_hand(ada: User, bob: User) -> None:
    organisation(retention_days=1)
    boss = root("boss")
    old, binned, temporary = (aged(ada, 99, text) for text in ("old", "binned", "temporary"))
    organising.delete(ada, conversation=binned)
    Conversation.objects.filter(pk=binned.pk).update(deleted_at=timezone.now() - dt.timedelta(days=99))
    Conversation.objects.filter(pk=temporary.pk).update(expires_at=timezone.now())
    his = aged(bob, 99)
    proved(boss).post("/setup/privacy/holds/", {"person": ada.email, "team": "", "reason": "Case 4711"})
    assert legal_holds.is_held(ada)
    sweep()
    assert left() == {old.pk, binned.pk, temporary.pk}
    assert his.pk not in left()
    with pytest.raises(messages.Refused, match="held"):
        organising.empty(ada)
    binned.refresh_from_db()
    with pytest.raises(messages.Refused, match="held"):
        organising.delete_for_good(ada, conversation=binned)
    assert signed_in(ada).post("/chat/bin/empty/").status_code == 409
    assert "legal hold" in signed_in(ada).get("/me/privacy/").content.decode()
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert proved(boss).post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=ada.pk).exists()
    proved(boss).post(f"/setup/privacy/holds/{LegalHold.objects.get().uuid}/end/")
    sweep()
    assert left() == set()
    assert [e.action for e in AuditEvent.objects.filter(action__startswith="hold.")] == ["hold.set", "hold.ended"]


def test_a_teams_hold_covers_who_joins_and_goes_on_for_who_leaves(ada: User, bob: User) -> None:
    boss = root("boss")
    mine = team("Sales", ada)
    proved(boss).post("/setup/privacy/holds/", {"person": "", "team": str(mine.uuid), "reason": "Case 4711"})
    request: Any = None
    teams.set_role(bob, team=mine, role="member", by=boss, request=request)
    teams.leave(ada, team=mine, by=boss, request=request)
    teams.leave(bob, team=mine, by=boss, request=request)
    assert (legal_holds.is_held(ada), legal_holds.is_held(bob)) == (True, True)
    assert AuditEvent.objects.filter(action="hold.joined").count() == 1
    late = scene.person("late")
    Membership.objects.create(user=late, team=mine)
    assert legal_holds.is_held(late), "whatever way she came in"
    teams.delete(mine, by=boss, request=request)
    assert legal_holds.is_held(ada), "nor does it end with the team"
    assert HeldPerson.objects.count() == 2


@pytest.mark.parametrize("wrong", [{"reason": "x"}, {"person": "nobody@example.com"}, {"person": "", "team": ""}])
def test_a_hold_needs_a_reason_and_one_target(wrong: dict[str, str], ada: User) -> None:
    given = {"person": ada.email, "team": "", "reason": "Case 4711"} | wrong
    assert proved(root("boss")).post("/setup/privacy/holds/", given).status_code == 422
    assert not LegalHold.objects.exists()


# --- the page ---


def rules(team_days: dict[Team, str], organisation: str = "", do: str = "look") -> dict[str, str]:
    return {"organisation": organisation, "temporary_hours": "24", "do": do} | {
        f"team-{t.uuid}": d for t, d in team_days.items()
    }


def test_the_dry_run_counts_what_would_go_and_changes_nothing(ada: User, bob: User) -> None:
    boss, sales = root("boss"), team("Sales", ada)
    for days in (10, 20, 40):
        aged(ada, days)
    aged(bob, 40)
    client = proved(boss)
    page = client.post("/setup/privacy/rules/", rules({sales: "15"}, "30"))
    assert page.status_code == 200
    told = {
        line.name: (line.days, line.people, line.conversations, line.messages, line.held)
        for line in page.context["looked"]
    }
    assert told == {"": (30, 2, 1, 2, 0), "Sales": (15, 1, 2, 4, 0)}
    oldest = {line.name: (timezone.now() - line.oldest).days for line in page.context["looked"]}
    assert oldest == {"": 40, "Sales": 40}
    assert (Organisation.get().retention_days, Team.objects.get().retention_days) == (None, None)
    assert sweep()["old"] == 0
    legal_holds.set_on(person=ada, reason="Case 4711", by=boss, request=None)  # type: ignore[arg-type]  # none is needed
    page = client.post("/setup/privacy/rules/", rules({sales: "15"}, "30"))
    assert [(line.conversations, line.held) for line in page.context["looked"]] == [(1, 0), (0, 2)]
    client.post("/setup/privacy/rules/", rules({sales: "15"}, "30", do="save"))
    assert (Organisation.get().retention_days, Team.objects.get().retention_days) == (30, 15)
    assert AuditEvent.objects.filter(action="retention.changed").count() == 1
    assert sweep()["old"] == 1
    assert "15 days after their last message" in signed_in(ada).get("/me/privacy/").content.decode()


@pytest.mark.parametrize("wrong", ["-1", "99999999", "soon"])
def test_a_rule_that_makes_no_sense_is_not_saved(wrong: str, gpt: Any) -> None:
    assert proved(root("boss")).post("/setup/privacy/rules/", rules({}, wrong, do="save")).status_code == 422
    assert Organisation.get().retention_days is None


def test_only_who_may_changes_what_is_kept(ada: User) -> None:
    helper = staff("helper", "change_organisation", "view_user", "change_user")
    for path in ("rules/", "looks/", "holds/", f"holds/{scene.new_id()}/end/".replace("//", "/")):
        for user in (helper, ada):
            assert proved(user).post(f"/setup/privacy/{path}", rules({}, "1", do="save")).status_code in (403, 404)
    for user in (helper, ada):
        assert proved(user).get("/setup/privacy/").status_code == 403
    assert Organisation.get().retention_days is None
    assert proved(staff("keeper", "manage_privacy")).get("/setup/privacy/").status_code == 200


def test_the_page_costs_the_same_with_one_hold_and_with_three(ada: User, bob: User) -> None:
    boss = root("boss")
    costs = []
    for people in ((ada,), (bob, boss)):
        for each in people:
            legal_holds.set_on(person=each, reason="Case 4711", by=boss, request=None)  # type: ignore[arg-type]  # none is needed
            team(f"Team of {each.name}", each, days=9)
        costs.append(cost(proved(boss), "/setup/privacy/"))
    assert costs[0] == costs[1]
