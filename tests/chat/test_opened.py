"""Looks into other people's conversations: nobody has the right by rank, every step is written down, the owner is told, it ends."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts import api_keys, audit_proof, openings, people, personal_own
from accounts.models import AuditEvent, Mail, Notice, Opening, Organisation, User
from accounts.refusals import NotPossible
from chat import opened, organising
from chat.models import Message
from tests.accounts.crowd import cost, person, proved, root, signed_in, staff
from tests.accounts.programs import signed_in as token_of
from tests.chat import scene

pytestmark = pytest.mark.django_db
WHY = "The works council and we agreed to look for the leak of Monday."
SECRET = "canary-question"


def organisation(**fields: Any) -> None:
    """Its row may have gone with the test before."""
    Organisation.objects.filter(pk=Organisation.get().pk).update(**fields)


@pytest.fixture
def reader(gpt: Any) -> User:
    return staff_with_right("reader")


@pytest.fixture
def chat(ada: User) -> Any:
    return scene.answered(ada, SECRET, reply="canary-answer")


def staff_with_right(name: str) -> User:
    made = staff(name)
    assert openings.set_right(made, by=root(f"root-of-{name}"), on=True)
    return User.objects.get(pk=made.pk)


def terms(**more: Any) -> dict[str, Any]:
    now = timezone.now()
    return {
        "reason": WHY,
        "since": now - dt.timedelta(days=1),
        "until": now + dt.timedelta(days=1),
        "minutes": 60,
    } | more


def fields(of: User, **more: str) -> dict[str, str]:
    today = timezone.localdate().isoformat()
    return {"person": of.email, "reason": WHY, "since": today, "until": today, "minutes": "60"} | more


def looked() -> list[str]:
    return list(
        AuditEvent.objects.filter(action__startswith="look.").order_by("number").values_list("action", flat=True)
    )


def at(opening: Opening, *, chat: Any = None, deed: str = "") -> str:
    tail = f"{chat.conversation.uuid}/" if chat else f"{deed}/" if deed else ""
    return f"/setup/openings/{opening.uuid}/{tail}"


def test_nobody_has_the_right_by_rank_and_nobody_gives_it_to_herself(ada: User) -> None:
    boss, helper = root("boss"), staff("helper", "change_user", "view_user", "manage_privacy", "view_auditevent")
    for user in (boss, helper, ada, person("mate"), person("stranger")):
        assert not openings.may(user)
        assert proved(user).get("/setup/openings/").status_code == 403
        assert proved(user).post("/setup/openings/", fields(ada)).status_code == 403
        with pytest.raises(NotPossible):
            openings.ask(ada, by=user, **terms())
    with pytest.raises(NotPossible, match="oneself"):
        openings.set_right(boss, by=boss, on=True)
    with pytest.raises(NotPossible, match="not_yours"):
        openings.set_right(boss, by=helper, on=True)
    with pytest.raises(NotPossible, match="not_staff"):
        openings.set_right(ada, by=boss, on=True)
    proved(boss).post(f"/setup/people/{boss.uuid}/opening-right/", {"right": "on"})
    assert proved(helper).post(f"/setup/people/{boss.uuid}/opening-right/", {"right": "on"}).status_code == 403
    # Nor through the plain administration: the column is in no form there, and posting it does nothing.
    proved(boss).post(f"/admin/accounts/user/{boss.pk}/change/", {"email": boss.email, "may_open_chats": "on"})
    assert not User.objects.filter(may_open_chats=True).exists()
    assert not Opening.objects.exists()
    proved(root("other")).post(f"/setup/people/{boss.uuid}/opening-right/", {"right": "on"})
    assert openings.may(boss)
    assert looked() == ["look.right_given"]


def test_the_command_gives_the_right_where_there_is_one_administrator() -> None:
    boss = root("boss")
    call_command("opening_right", boss.email, "on")
    assert openings.may(boss)
    event = AuditEvent.objects.get(action="look.right_given")
    assert (event.actor_kind, event.target) == ("command", boss.uuid)
    with pytest.raises(CommandError, match="Nobody"):
        call_command("opening_right", "nobody@example.com", "on")


def test_opening_reading_and_ending_are_in_the_chain_and_the_owner_reads_who_and_why(
    ada: User, reader: User, chat: Any, settings: Any
) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:9"
    client = proved(reader)
    went = client.post("/setup/openings/", fields(ada))
    opening = Opening.objects.get()
    assert went["Location"] == at(opening)
    assert SECRET in client.get(at(opening)).content.decode(), "the title"
    page = client.get(at(opening, chat=chat)).content.decode()
    assert (SECRET in page, "canary-answer" in page) == (True, True)
    assert "<textarea" not in page
    assert "data-poll" not in page
    client.post(at(opening, deed="end"))
    assert looked() == ["look.right_given", "look.opened", "look.read", "look.ended"]
    read = AuditEvent.objects.get(action="look.read")
    assert (read.actor, read.concerns, read.target) == (reader.uuid, ada.uuid, opening.uuid)
    assert read.changes == {"conversation": [None, str(chat.conversation.uuid)]}
    assert AuditEvent.objects.get(action="look.opened").private["ground"] == [None, WHY]
    assert "canary" not in json.dumps(list(AuditEvent.objects.values("changes", "private", "target_name")), default=str)
    assert audit_proof.prove().fault == ""
    assert list(Notice.objects.values_list("user", "kind", "by")) == [(ada.pk, "chats_opened", "Reader")]
    assert Mail.objects.get(kind="account_notice").to == ada.email
    mine = signed_in(ada).get("/me/privacy/").content.decode()
    assert (WHY in mine, "Reader" in mine) == (True, True)
    trail = signed_in(ada).get("/me/trail/").content.decode()
    assert (str(chat.conversation.uuid) in trail, WHY in trail) == (True, True)
    stranger = signed_in(person("stranger")).get("/me/privacy/").content.decode()
    assert WHY not in stranger


def test_a_reason_is_a_sentence_and_the_span_goes_forward(ada: User, reader: User) -> None:
    client = proved(reader)
    later = (timezone.localdate() + dt.timedelta(days=1)).isoformat()
    for wrong in (
        {"reason": "because"},
        {"reason": " " * 60},
        {"since": later},
        {"minutes": "9999"},
        {"until": "9999-12-31"},
        {"since": "0001-01-01"},
        {"person": "x@example.com"},
    ):
        assert client.post("/setup/openings/", fields(ada) | wrong).status_code == 422
    assert client.post("/setup/openings/", fields(reader)).status_code == 422, "the own conversations"
    assert not Opening.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        Opening.objects.create(reader=reader, person=reader, asked_at=timezone.now(), **terms())


def test_only_the_span_is_shown_and_only_of_that_person(ada: User, bob: User, reader: User, chat: Any) -> None:
    old = scene.answered(ada, "canary-old")
    Message.objects.filter(conversation=old.conversation).update(created_at=timezone.now() - dt.timedelta(days=40))
    Message.objects.filter(pk=chat.answer.pk).update(created_at=timezone.now() - dt.timedelta(days=40))
    his = scene.answered(bob, "canary-of-bob")
    opening = openings.ask(ada, by=reader, **terms())
    client = signed_in(reader)
    listed = client.get(at(opening)).content.decode()
    assert (SECRET in listed, "canary-old" in listed, "canary-of-bob" in listed) == (True, False, False)
    for other in (old, his):
        assert client.get(at(opening, chat=other)).status_code == 404
    assert "canary-answer" not in client.get(at(opening, chat=chat)).content.decode()
    assert looked().count("look.read") == 1, "what is not found was not read"


@pytest.mark.parametrize("how", ["time", "ended", "right", "off", "demoted", "signed out"])
def test_a_look_is_over_at_the_next_request(how: str, ada: User, reader: User, chat: Any) -> None:
    opening = openings.ask(ada, by=reader, **terms())
    client = proved(reader)
    assert client.get(at(opening, chat=chat)).status_code == 200
    boss = root("boss")
    if how == "time":
        Opening.objects.update(ends_at=timezone.now())
    elif how == "ended":
        openings.end(opening, by=reader)
    elif how == "right":
        openings.set_right(reader, by=boss, on=False)
    elif how == "off":
        people.deactivate(reader, by=boss)
    elif how == "demoted":
        people.set_rights(reader, by=boss, is_staff=False, is_superuser=False)
    else:
        reader.sign_out_everywhere()
    for path in (at(opening), at(opening, chat=chat)):
        assert client.get(path).status_code in (302, 403, 404)
    assert client.post(at(opening, deed="export")).status_code in (302, 403, 404)
    assert looked().count("look.read") == 1
    if how == "off":
        people.reactivate(reader, by=boss)
        assert not openings.may(reader), "the right does not come back by itself"
        assert not openings.living(reader).exists()


def test_a_look_is_its_readers_alone(ada: User, reader: User, chat: Any) -> None:
    opening = openings.ask(ada, by=reader, **terms())
    other = staff_with_right("other")
    for user in (other, root("boss"), ada):
        client = proved(user)
        for path in (at(opening), at(opening, chat=chat)):
            assert client.get(path).status_code in (403, 404)
        for deed in ("end", "export", "agree"):
            assert client.post(at(opening, deed=deed)).status_code in (403, 404)
    assert looked() == ["look.right_given", "look.opened", "look.right_given"]
    with pytest.raises(NotPossible, match="open"):
        openings.ask(ada, by=reader, **terms())


def test_keys_and_tokens_open_nothing(ada: User, reader: User, chat: Any) -> None:
    opening = openings.ask(ada, by=reader, **terms())
    _key, secret = api_keys.make(reader, name="all", by=reader, scopes=["chat", "models", "usage", "profile", "keys"])
    for bearer in (secret, token_of(reader).access):
        for path in ("/setup/openings/", at(opening), at(opening, chat=chat), "/me/privacy/"):
            assert Client().get(path, headers={"Authorization": f"Bearer {bearer}"}).status_code == 302
    assert not [line for line in looked() if line == "look.read"]


def test_two_have_to_agree_where_the_organisation_wants_it(ada: User, reader: User, chat: Any) -> None:
    organisation(looks_by_two=True)
    second, boss = staff_with_right("second"), root("boss")
    proved(reader).post("/setup/openings/", fields(ada))
    opening = Opening.objects.get()
    assert opening.opened_at is None
    assert signed_in(reader).get(at(opening)).status_code == 404
    assert proved(reader).post(at(opening, deed="agree")).status_code == 302
    with pytest.raises(NotPossible, match="same"):
        openings.agree(opening, by=reader)
    assert proved(boss).post(at(opening, deed="agree")).status_code == 403
    assert signed_in(reader).get(at(opening)).status_code == 404
    assert not Notice.objects.exists()
    proved(second).post(at(opening, deed="agree"))
    assert signed_in(reader).get(at(opening, chat=chat)).status_code == 200
    assert not openings.agree(opening, by=second), "once"
    assert looked()[2:] == ["look.asked", "look.agreed", "look.read"]
    assert signed_in(second).get(at(opening)).status_code == 404, "agreeing is not reading"
    with pytest.raises(IntegrityError), transaction.atomic():
        Opening.objects.filter(pk=opening.pk).update(second=None)


def test_the_owner_never_agrees_to_a_look_at_herself_and_a_request_is_over_after_three_days(
    reader: User, gpt: Any
) -> None:
    organisation(looks_by_two=True)
    second = staff_with_right("second")
    about = openings.ask(second, by=reader, **terms())
    assert proved(second).post(at(about, deed="agree")).status_code == 404
    with pytest.raises(NotPossible, match="oneself"):
        openings.agree(about, by=second)
    third = staff_with_right("third")
    Opening.objects.update(asked_at=timezone.now() - openings.ASKED_FOR)
    assert not openings.agree(about, by=third)


def test_a_delayed_notice_comes_later_and_one_that_is_off_never_and_both_are_said_to_everybody(
    ada: User, reader: User, chat: Any, bob: User
) -> None:
    organisation(looks_told="later", looks_told_days=7)
    late = openings.ask(ada, by=reader, **terms())
    proved(reader).get(at(late, chat=chat))
    mine = signed_in(ada)
    for path in ("/me/privacy/", "/me/trail/", "/me/"):
        assert "Reader" not in mine.get(path).content.decode()
    assert (openings.tell_due(), Notice.objects.count()) == (0, 0)
    assert "7 days after a look" in signed_in(bob).get("/me/privacy/").content.decode()
    Opening.objects.update(tell_at=timezone.now())
    assert [openings.tell_due(), openings.tell_due(), Notice.objects.count()] == [1, 0, 1]
    for path in ("/me/privacy/", "/me/trail/"):
        assert "Reader" in mine.get(path).content.decode()
    openings.end(late, by=reader)
    organisation(looks_told="never")
    silent = openings.ask(ada, by=reader, **terms(reason="A second reason, of which she never hears."))
    assert silent.tell_at is None
    assert "never hears" not in mine.get("/me/trail/").content.decode() + mine.get("/me/privacy/").content.decode()
    assert "switched off" in signed_in(bob).get("/me/privacy/").content.decode()
    assert AuditEvent.objects.filter(action="look.opened").count() == 2, "in the chain it stands all the same"
    assert "never hears" not in json.dumps(list(personal_own._events(ada)), default=str), "nor in her own export"


def test_a_changed_rule_stands_on_everybodys_page_and_counts_for_later_looks_only(ada: User, reader: User) -> None:
    boss = root("boss")
    told = openings.ask(ada, by=reader, **terms())
    proved(boss).post("/setup/privacy/looks/", {"looks_told": "never", "looks_told_days": "7"})
    assert Organisation.get().looks_told == "never"
    assert Opening.objects.get(pk=told.pk).tell_at is not None
    page = signed_in(ada).get("/me/privacy/").content.decode()
    assert "Boss" in page
    assert "Reader" in page, "what she was told stays"


def test_what_rests_in_the_bin_can_be_read_and_what_is_gone_cannot(ada: User, reader: User, chat: Any) -> None:
    opening = openings.ask(ada, by=reader, **terms())
    organising.delete(ada, conversation=chat.conversation)
    assert signed_in(reader).get(at(opening, chat=chat)).status_code == 200
    organising.delete_for_good(ada, conversation=chat.conversation)
    assert signed_in(reader).get(at(opening, chat=chat)).status_code == 404


def test_a_long_conversation_is_read_in_pages_at_the_same_cost(
    ada: User, reader: User, chat: Any, django_assert_num_queries: Any
) -> None:
    opening = openings.ask(ada, by=reader, **terms())
    home = chat.conversation
    Message.objects.bulk_create(Message(conversation=home, role="user", text=f"line-{n}.") for n in range(60))
    assert len(opened.turns(opening, home)[0]) == opened.PAGE
    shown, after = opened.turns(opening, home)
    rest, end = opened.turns(opening, home, after=after)
    assert (len(shown) + len(rest), end) == (62, 0)
    for number in (1, 3):
        Message.objects.filter(text__startswith="line-").delete()
        Message.objects.bulk_create(Message(conversation=home, role="user", text=f"line-{n}.") for n in range(number))
        with django_assert_num_queries(2):
            opened.turns(opening, home)


def test_pages_cost_the_same_whatever_they_list(ada: User, reader: User, chat: Any) -> None:
    """One and three looks, requests, conversations."""
    costs = []
    organisation(looks_by_two=True)
    for number in (1, 2):
        other = staff_with_right(f"other{number}")
        openings.ask(ada, by=other, **terms())
        Opening.objects.create(
            reader=other, person=ada, asked_at=timezone.now(), opened_at=timezone.now(), told_at=timezone.now(),
            ends_at=timezone.now() + dt.timedelta(hours=1), tell_at=timezone.now(), **terms(),
        )  # fmt: skip
        mine = Opening.objects.filter(reader=other, by_two=False).get()
        scene.answered(ada, f"one more {number}")
        paths = ((ada, "/me/privacy/"), (reader, "/setup/openings/"), (other, at(mine)))
        costs.append([cost(proved(user), path) for user, path in paths])
    assert costs[0] == costs[1]
