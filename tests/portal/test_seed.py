"""`manage.py seed`: the same people on every repeat, sessions that the site accepts, and no sign-ins without being told."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.models import User
from chat.models import Conversation, Generation, Message
from portal import seeded_calls
from portal.management.commands import seed
from usage import recount
from usage.models import Invocation, LedgerEntry

pytestmark = pytest.mark.django_db
FIRST = f"person0@{seed.DOMAIN}"


def test_a_repeat_makes_nobody_and_nothing_twice() -> None:
    for _ in range(2):
        call_command("seed", people=3, conversations=2, messages=4, verbosity=0)
    assert User.objects.filter(email__endswith=seed.DOMAIN).count() == 3
    assert Conversation.objects.filter(user__email=FIRST).count() == 2
    assert (Message.objects.count(), Generation.objects.filter(state="done").count()) == (8, 4)


def test_a_seeded_conversation_is_a_path_to_its_leaf() -> None:
    call_command("seed", conversations=1, messages=4, verbosity=0)
    message = Conversation.objects.get().leaf
    depths = []
    while message is not None:
        depths.append(message.depth)
        message = message.parent
    assert depths == [3, 2, 1, 0]


def test_a_session_from_the_file_opens_the_page(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "sessions.json"
    call_command("seed", people=2, sessions=file, yes=True, verbosity=0)
    rows = json.loads(file.read_text())
    assert [row["email"] for row in rows] == [FIRST, f"person1@{seed.DOMAIN}"]
    assert file.stat().st_mode & 0o077 == 0
    client.cookies["sessionid"] = rows[0]["sessionid"]
    assert client.get("/chat/list/").status_code == 200


@pytest.mark.parametrize("given", [{"sessions": Path("/nowhere/sessions.json")}, {"password": "bench-Passw0rd"}])
def test_sign_ins_are_refused_unless_asked_for(given: dict[str, object]) -> None:
    with pytest.raises(CommandError, match="--yes"):
        call_command("seed", people=1, verbosity=0, **given)
    assert not User.objects.filter(email=FIRST).exists()


def test_people_without_a_password_cannot_sign_in() -> None:
    call_command("seed", people=1, verbosity=0)
    assert not User.objects.get(email=FIRST).has_usable_password()


def test_calls_come_with_their_ledger_and_their_sums() -> None:
    made = seeded_calls.make(40, people=seed.make_people(3), now=timezone.now())
    assert (made, Invocation.objects.count()) == (40, 40)
    failed = Invocation.objects.filter(outcome="failed").count()
    assert LedgerEntry.objects.count() == 40 - failed
    assert list(recount.drifts()) == []
    seeded_calls.make(10, people=seed.make_people(3), now=timezone.now())
    assert Invocation.objects.count() == 50


def test_many_calls_are_drawn_once_and_doubled_on_other_days_with_their_ledger_and_their_sums() -> None:
    assert seeded_calls.make(83, people=seed.make_people(3), now=timezone.now(), drawn=25) == 83
    assert Invocation.objects.count() == 83
    assert len(set(Invocation.objects.values_list("request_id", flat=True))) == 83
    billed = Invocation.objects.filter(outcome="done").values_list("request_id", "created_at")
    assert set(LedgerEntry.objects.values_list("request_id", "reserved_at")) == set(billed)
    assert list(recount.drifts()) == []
