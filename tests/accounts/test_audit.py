"""The trail's only writer: what an event holds, what never enters it, and a database that lets nobody change it."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from accounts import audit, audit_chain
from accounts.audit_actions import ACTIONS
from accounts.models import ApiKey, AuditEvent, Invitation, Team, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@example.com", name="Root")


def request(user: User | None = None, *, agent: str = "", address: str = "192.0.2.7") -> Any:
    made: Any = RequestFactory().get("/", REMOTE_ADDR=address, HTTP_USER_AGENT=agent)
    made.request_id = "r" * 32
    if user is not None:
        made.user = user
    return made


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.order_by("number"))


def test_events_are_numbered_without_a_gap_and_each_holds_the_hash_before_it(ada: User) -> None:
    for action in ("person.added", "team.added", "person.changed"):
        audit.record(action, actor=ada)
    rows = events()
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.previous for row in rows] == [audit_chain.GENESIS, rows[0].hash, rows[1].hash]
    assert [audit_chain.event_hash(row) for row in rows] == [row.hash for row in rows]


def test_what_is_rolled_back_leaves_no_hole(ada: User) -> None:
    audit.record("person.added", actor=ada)
    with pytest.raises(RuntimeError), transaction.atomic():
        audit.record("person.changed", actor=ada)
        raise RuntimeError
    audit.record("person.deleted", actor=ada)
    assert [(row.number, row.action) for row in events()] == [(1, "person.added"), (2, "person.deleted")]


def test_a_request_says_who_from_where_and_with_what(ada: User, root: User) -> None:
    agent = "Browser/1.0\r\nX-Evil: 1 \x1b[31mred\x00\u202e"
    given = request(root, agent=agent, address="2001:db8::1")
    row = audit.record("person.changed", request=given, target=ada, changes={"name": ["Ada", "Ada L."]})
    assert (row.actor_kind, row.actor, row.actor_name) == ("person", root.uuid, "Root <root@example.com>")
    assert (row.target_kind, row.target, row.target_name) == ("person", ada.uuid, "Ada <ada@example.com>")
    assert (row.concerns, row.address, row.request_id) == (ada.uuid, "2001:db8::1", "r" * 32)
    assert row.device == "Browser/1.0 X-Evil: 1 red"
    assert (row.changes, row.private) == ({}, {"name": ["Ada", "Ada L."]})


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda ada: {"actor": ada}, "person"),
        (lambda ada: {"actor": User(email="bot@example.com", is_service=True)}, "service"),
        (lambda ada: {"actor": ApiKey(user=ada, name="ci", prefix="sk-a")}, "key"),
        (lambda ada: {"request": request()}, "anonymous"),
        (lambda ada: {"request": request(ada), "actor_kind": "anonymous"}, "anonymous"),
        (lambda ada: {"actor_kind": "command"}, "command"),
        (lambda ada: {}, "system"),
    ],
)
def test_every_kind_of_actor_is_told_apart(ada: User, make: Callable[[User], dict[str, Any]], kind: str) -> None:
    row = audit.record("person.changed", **make(ada))
    assert row.actor_kind == kind
    assert bool(row.actor) == (kind in {"person", "service", "key"})


def test_a_key_acts_in_the_name_of_its_owner(ada: User) -> None:
    row = audit.record("person.changed", actor=ApiKey(user=ada, name="nightly\njob", prefix="sk-abc"))
    assert (row.actor, row.actor_name) == (ada.uuid, "Ada <ada@example.com> · nightly job (sk-abc…)")


SECRET = {
    "password",
    "new_password1",
    "secret",
    "clientSecret",
    "refresh_token",
    "key",
    "next_key",
    "key_digest",
    "otp",
}
WORDS = {"text", "message", "content", "title", "prompt", "body", "session-hash", "apiKey"}


@pytest.mark.parametrize("field", sorted(SECRET | WORDS))
def test_secrets_and_message_text_are_refused(ada: User, field: str) -> None:
    with pytest.raises(ValueError, match="never enters"):
        audit.record("person.changed", target=ada, changes={field: [None, "x"]})
    assert events() == []


@pytest.mark.parametrize(
    "field", ["max_output_tokens", "answer_tokens", "key_hint", "key_prefix", "monkey", "context_window"]
)
def test_harmless_fields_are_told(ada: User, field: str) -> None:
    assert audit.record("person.changed", target=ada, changes={field: [1, 2]}).changes == {field: [1, 2]}


def test_an_action_nobody_has_described_is_refused(ada: User) -> None:
    with pytest.raises(ValueError, match=r"audit_actions\.py"):
        audit.record("person.tickled", target=ada)


def test_values_come_back_from_the_database_as_they_were_hashed(ada: User) -> None:
    moment = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    given: dict[str, Any] = {
        "price": [decimal.Decimal("1.50"), 2.5],
        "when": [moment, None],
        "on": [True, 10**18],
        "scopes": [["b", "a"], {"z", "y"}],
        "more": [{"k": "v\x00\ud800"}, "multi\nline"],
        "base_url": ["https://user:pw@host/v1", "https://host/?api-key=abc&x=1"],
    }
    audit.record("person.changed", target=ada, changes=given)
    row = events()[0]
    assert row.changes == {
        "price": ["1.50", "2.5"],
        "when": ["2026-01-02 00:00:00+00:00", None],
        "on": [True, 10**18],
        "scopes": [["b", "a"], ["y", "z"]],
        "more": [{"k": "v"}, "multi line"],
        "base_url": ["https://…@host/v1", "https://host/?api-key=…&x=1"],
    }
    assert audit_chain.event_hash(row) == row.hash


def test_a_long_value_is_cut(ada: User) -> None:
    row = audit.record("organisation.changed", changes={"house_rules": ["x" * 10_000, ""]})
    assert row.changes["house_rules"][0] == "x" * 499 + "…"


def test_a_row_without_a_name_of_its_own_is_not_quoted() -> None:
    class Talk:
        title = "what somebody asked"

    assert audit.name_of(Talk()) == ""  # type: ignore[arg-type]  # stands for a row


def test_recording_costs_the_same_whatever_came_before(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 3):
        server = connection.vendor == "postgresql"  # the lock and the clock
        with django_assert_num_queries(6 if server else 4):
            audit.record("person.changed", actor=ada, target=ada)
        assert AuditEvent.objects.count() >= min(count, 1)


# --- erasing ---


def test_erasing_a_person_blanks_the_names_and_the_chain_still_proves(ada: User, root: User) -> None:
    audit.record("person.changed", request=request(ada, agent="B"), target=ada)
    audit.record("person.changed", request=request(root, agent="R"), target=ada, changes={"name": ["A", "B"]})
    team = Team.objects.create(name="Sales")
    audit.record("team.changed", actor=root, target=team, changes={"members": [[], ["Ada", "Root"]], "size": [0, 2]})
    audit.record("team.changed", actor=ada, target=team, changes={"name": ["Selling", "Sales"]})
    assert audit.forget(ada, actor=root) == 5
    rows = events()
    text = str([vars(row) for row in rows])
    assert "ada@example.com" not in text
    assert "Ada" not in text
    assert [row.actor_name for row in rows] == [
        "",
        "Root <root@example.com>",
        "Root <root@example.com>",
        "",
        "Root <root@example.com>",
    ]
    assert rows[2].changes == {"size": [0, 2]}
    assert rows[3].target_name == "Sales"
    assert rows[4].changes == {"events": [None, 5], "account": [None, str(ada.uuid)]}
    assert [audit_chain.event_hash(row) for row in rows] == [row.hash for row in rows]
    assert audit.forget(ada, actor=root) == 0


def test_an_invitation_concerns_nobody_yet_but_is_erased_with_the_person(root: User) -> None:
    invitation = Invitation(email="new@example.com", name="Nova")
    audit.record("invitation.made", actor=root, target=invitation, changes={"email": [None, "new@example.com"]})
    audit.record("invitation.revoked", actor=root, target=invitation)
    rows = events()
    assert [row.target_name for row in rows] == ["Nova <new@example.com>"] * 2
    assert rows[0].private == {"email": [None, "new@example.com"]}
    assert all(row.target_salt and not row.concerns for row in rows)
    audit.forget(User.objects.create_user("new@example.com", name="Nova"), actor=root)
    assert [(row.target_name, row.private) for row in events()[:2]] == [("", {})] * 2


# --- the guard ---


def test_the_database_refuses_to_remove_events(ada: User) -> None:
    audit.record("person.changed", target=ada)
    with pytest.raises(DatabaseError, match="never removed"), transaction.atomic():
        AuditEvent.objects.all().delete()
    with pytest.raises(DatabaseError, match="never removed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE accounts_auditevent" if connection.vendor == "postgresql" else "DELETE FROM accounts_auditevent"
        )
    assert AuditEvent.objects.count() == 1


CHANGED = {
    "number": 7,
    "at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    "action": "person.added",
    "actor": None,
    "actor_kind": "system",
    "actor_name": "Eve",
    "target_kind": "team",
    "target_name": "Eve",
    "changes": {"role": ["a", "c"]},
    "private": {},
    "address": "",
    "device": "",
    "salt": "",
    "target_salt": "",
    "personal": "0" * 64,
    "target_personal": "",
    "concerns": None,
    "request_id": "",
    "previous": "1" * 64,
    "hash": "1" * 64,
}


@pytest.mark.parametrize("field", CHANGED)
def test_the_database_refuses_to_change_any_single_column(ada: User, root: User, field: str) -> None:
    given = request(root, agent="B")
    audit.record("person.changed", request=given, target=ada, changes={"role": ["a", "b"], "name": ["Ada", "Eve"]})
    before = AuditEvent.objects.values().get()
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        AuditEvent.objects.update(**{field: CHANGED[field]})
    assert AuditEvent.objects.values().get() == before


def test_a_name_that_is_nobodys_cannot_be_blanked(root: User) -> None:
    audit.record("team.added", actor=root, target=Team.objects.create(name="Sales"))
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        AuditEvent.objects.update(target_name="")


def test_what_was_erased_cannot_be_filled_in_again(ada: User) -> None:
    audit.record("person.changed", actor=ada, target=ada)
    audit.forget(ada)
    for blank in ({"actor_name": "Eve"}, {"target_name": "Eve"}, {"salt": "0" * 32}, {"private": {"name": [1, 2]}}):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            AuditEvent.objects.filter(number=1).update(**blank)


def test_every_action_has_a_noun_a_verb_and_a_sentence_that_can_be_filled() -> None:
    for action, sentence in ACTIONS.items():
        noun, dot, verb = action.partition(".")
        assert noun.isidentifier(), action
        assert dot, action
        assert verb.isidentifier(), action
        assert len(action) <= 64
        assert "%(" not in str(sentence) % {"actor": "A", "target": "T"}
