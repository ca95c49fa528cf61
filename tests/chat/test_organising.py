"""Renaming, the bin and the mark of an unseen answer: what each verb does, to whom it answers, and that money outlives chats."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from itertools import pairwise
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import Http404
from django.test import Client
from django.utils import timezone

from accounts.models import User
from chat import messages, organising, queries, recovery, retention
from chat.models import Conversation, Delta, Generation, Message
from portal import tasks
from tests.chat import scene
from tests.chat.asking import addresses, asked, call, of, post
from usage.models import Invocation, Reservation

pytestmark = pytest.mark.django_db
VERBS = ("rename", "delete", "restore", "delete-for-good", "seen")


def at(conversation: Conversation, verb: str) -> str:
    return f"/chat/{conversation.uuid}/{verb}/"


def binned(user: User, text: str = "Old things", *, days: float = 0) -> messages.Sent:
    sent = asked(user, text)
    organising.delete(user, conversation=sent.conversation)
    then = timezone.now() - dt.timedelta(days=days)
    Conversation.objects.filter(pk=sent.conversation.pk).update(deleted_at=then)
    sent.conversation.refresh_from_db()
    return sent


def titles(client: Client, path: str = "/chat/list/") -> str:
    shown: str = client.get(path).content.decode()
    return shown


# --- rename ---


def test_a_title_that_a_person_gave_is_stored_in_one_line_and_no_model_changes_it(owner: User, page: Client) -> None:
    sent = asked(owner)
    Conversation.objects.filter(pk=sent.conversation.pk).update(title_state="pending", title_due_at=timezone.now())
    answer = post(page, at(sent.conversation, "rename"), {"title": "  Trees\n of  May "})
    assert (answer.status_code, answer.json()) == (200, {"title": "Trees of May"})
    row = Conversation.objects.get()
    assert (row.title, row.title_state, row.title_due_at) == ("Trees of May", "manual", None)
    assert row.version == sent.conversation.version, "a tab with a typed question must not be refused for a new title"


@pytest.mark.parametrize(
    ("title", "status"),
    [("", 422), (" \n\t", 422), ("x" * 201, 422), ("x" * 1_000_000, 422), ("a\x00b", 400), ("\ud800", 400), (7, 400)],
)
def test_a_title_that_cannot_be_is_refused_and_the_old_one_stays(
    owner: User, page: Client, title: Any, status: int
) -> None:
    sent = asked(owner, "Old title")
    answer = post(page, at(sent.conversation, "rename"), {"title": title})
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert Conversation.objects.get().title == "Old title"


def test_a_title_with_markup_is_shown_as_it_was_typed(owner: User, page: Client) -> None:
    sent = asked(owner)
    words = "<img src=x onerror=alert(1)>\"&'"
    post(page, at(sent.conversation, "rename"), {"title": words})
    for path in ("/chat/", "/chat/list/", f"/chat/{sent.conversation.uuid}/", at(sent.conversation, "organise")):
        shown = page.get(path).content.decode()
        assert "&lt;img src=x onerror=alert(1)&gt;&quot;&amp;&#x27;" in shown, path
        assert "<img" not in shown, path


def test_without_scripts_forms_rename_and_delete(owner: User, page: Client) -> None:
    sent = asked(owner, "Old title")
    shown = page.get(at(sent.conversation, "organise")).content.decode()
    assert f'action="{at(sent.conversation, "rename")}"' in shown
    assert f'action="{at(sent.conversation, "delete")}"' in shown
    refused = page.post(at(sent.conversation, "rename"), {"title": " "})
    assert (refused.status_code, "Write a title first." in refused.content.decode()) == (422, True)
    done = page.post(at(sent.conversation, "rename"), {"title": "New title"})
    assert (done.status_code, done["Location"]) == (303, f"/chat/{sent.conversation.uuid}/")
    gone = page.post(at(sent.conversation, "delete"))
    assert (gone.status_code, gone["Location"]) == (303, f"/chat/?deleted={sent.conversation.uuid}")
    offer = page.get(gone["Location"]).content.decode()
    assert "“New title” is in the bin." in offer
    assert f'action="{at(sent.conversation, "restore")}"' in offer
    back = page.post(at(sent.conversation, "restore"))
    assert (back.status_code, back["Location"]) == (303, f"/chat/{sent.conversation.uuid}/")
    assert Conversation.objects.get().deleted_at is None


# --- who ---


@pytest.mark.parametrize("deleted", [False, True])
def test_a_teammate_and_a_stranger_can_do_nothing_with_it(
    owner: User, teammate: User, stranger: User, deleted: bool
) -> None:
    sent = binned(owner, "A secret") if deleted else asked(owner, "A secret")
    before = Conversation.objects.values().get()
    for person in (teammate, stranger):
        for verb in VERBS:
            foreign = post(of(person), at(sent.conversation, verb), {"title": "Mine"})
            unknown = post(of(person), f"/chat/{uuid.uuid4()}/{verb}/", {"title": "Mine"})
            assert foreign.status_code == unknown.status_code == 404, verb
        assert of(person).get(at(sent.conversation, "organise")).status_code == 404
        for path in ("/chat/bin/", f"/chat/?deleted={sent.conversation.uuid}"):
            assert "A secret" not in titles(of(person), path)
        assert post(of(person), "/chat/bin/empty/", {}).status_code == 200
    assert Conversation.objects.values().get() == before


def test_the_verbs_themselves_ask_whose_it_is(owner: User, stranger: User) -> None:
    sent = asked(owner, "A secret")
    organising.rename(stranger, conversation=sent.conversation, title="Mine")
    organising.delete(stranger, conversation=sent.conversation)
    row = Conversation.objects.get()
    assert (row.title, row.deleted_at) == ("A secret", None)
    organising.delete(owner, conversation=row)
    organising.restore(stranger, conversation=row)
    organising.delete_for_good(stranger, conversation=row)
    assert Conversation.objects.get().deleted_at is not None


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_needs_a_post_a_token_and_somebody_signed_in(owner: User, page: Client, verb: str) -> None:
    sent = binned(owner) if verb in ("restore", "delete-for-good") else asked(owner)
    path = at(sent.conversation, verb)
    assert page.get(path).status_code == 405
    assert post(of(owner, enforce_csrf_checks=True), path, {}).status_code == 403
    assert post(Client(), path, {}).status_code == 401
    assert Client().get("/chat/bin/").status_code == 302
    assert Conversation.objects.filter(pk=sent.conversation.pk).exists()


# --- the bin ---


def test_what_is_in_the_bin_is_found_nowhere_else(owner: User, page: Client) -> None:
    sent, kept = asked(owner, "Thrown away"), asked(owner, "Kept")
    post(page, at(sent.conversation, "delete"), {})
    for name, path in addresses(sent).items():
        assert call(page, name, path).status_code == 404, name
    late = {"text": "And?", "client_id": uuid.uuid4().hex, "conversation": str(sent.conversation.uuid)}
    assert post(page, "/chat/messages/", late).status_code == 404
    assert ("Thrown away" in titles(page), "Kept" in titles(page)) == (False, True)
    assert ("Thrown away" in titles(page, "/chat/bin/"), "Kept" in titles(page, "/chat/bin/")) == (True, False)
    for read in (queries.conversation_for, queries.binned_for):
        with pytest.raises(Http404):
            read(owner, (sent if read is queries.conversation_for else kept).conversation.uuid)
    post(page, at(sent.conversation, "restore"), {})
    assert page.get(addresses(sent)["conversation"]).status_code == 200
    assert "Thrown away" in titles(page)


def test_a_question_that_was_on_its_way_is_not_written_into_the_bin(owner: User) -> None:
    sent = asked(owner)
    before = Conversation.objects.get()  # what the send had read
    organising.delete(owner, conversation=sent.conversation)
    with pytest.raises(messages.Refused) as refused:
        messages.send(owner, text="And?", client_id=uuid.uuid4().hex, conversation=before)
    assert refused.value.status == 409
    assert (Message.objects.count(), Generation.objects.count()) == (2, 1)


def test_deleting_stops_what_is_queued_and_tells_the_worker_of_what_runs(ada: User) -> None:
    queued, running = scene.ask(ada), scene.ask(ada)
    hands = scene.Hands()
    (taken,) = hands.take()
    assert taken.pk == queued.generation.pk
    for sent in (queued, running):
        organising.delete(ada, conversation=sent.conversation)
    rows = Generation.objects.in_bulk([queued.generation.pk, running.generation.pk])
    assert rows[running.generation.pk].state == "cancelled"
    assert rows[queued.generation.pk].cancel_requested_at is not None


def test_a_thrown_away_conversation_gets_no_title_by_a_model(owner: User) -> None:
    sent = asked(owner)
    Conversation.objects.update(title_state="pending", title_due_at=timezone.now())
    organising.delete(owner, conversation=sent.conversation)
    row = Conversation.objects.get()
    assert (row.title_state, row.title_due_at) == ("none", None)


def test_the_bin_says_how_many_days_are_left_and_is_emptied_on_demand(owner: User, page: Client) -> None:
    binned(owner, "Fresh"), binned(owner, "Ripe", days=29.5), binned(owner, "Half", days=12)
    kept = asked(owner, "Kept")
    shown = titles(page, "/chat/bin/")
    assert [words in shown for words in ("30 days left", "1 day left", "18 days left")] == [True] * 3
    assert shown.index("Fresh") < shown.index("Half") < shown.index("Ripe")
    assert page.post("/chat/bin/empty/")["Location"] == "/chat/bin/"
    assert list(Conversation.objects.all()) == [kept.conversation]
    assert "The bin is empty." in titles(page, "/chat/bin/")


def test_the_bin_is_paged(owner: User, page: Client) -> None:
    now = timezone.now()
    Conversation.objects.bulk_create(
        Conversation(user=owner, title=f"Talk {n:02}", deleted_at=now - dt.timedelta(hours=n // 2)) for n in range(50)
    )
    first = queries.bin_list(owner)
    second = queries.bin_list(owner, cursor=first.next_cursor)
    assert len({row.pk for row in [*first.conversations, *second.conversations]}) == 50
    assert (len(second.conversations), second.next_cursor) == (10, "")
    assert first.next_cursor in titles(page, "/chat/bin/")


def test_only_what_is_in_the_bin_can_be_deleted_for_good(owner: User, page: Client) -> None:
    sent = asked(owner)
    assert post(page, at(sent.conversation, "delete-for-good"), {}).status_code == 404
    organising.delete_for_good(owner, conversation=sent.conversation)
    assert Conversation.objects.exists()
    organising.delete(owner, conversation=sent.conversation)
    assert page.post(at(sent.conversation, "delete-for-good"))["Location"] == "/chat/bin/"
    assert not Conversation.objects.exists()
    assert not Message.objects.exists()


def test_the_purge_takes_what_rested_long_enough_and_leaves_what_was_used(ada: User, settings: LazySettings) -> None:
    settings.TITLES = False
    for days in (29.9, 30.1, 400):
        sent = scene.answered(ada, f"Deleted {days} days ago")
        Conversation.objects.filter(pk=sent.conversation.pk).update(deleted_at=timezone.now() - dt.timedelta(days=days))
    scene.answered(ada, "Kept")
    calls = sorted(Invocation.objects.values_list("request_id", "output_tokens"))
    holds = sorted(Reservation.objects.values_list("request_id", "state"))
    tasks.empty_bin()
    assert set(Message.objects.filter(role="user").values_list("text", flat=True)) == {
        "Deleted 29.9 days ago",
        "Kept",
    }
    assert sorted(Invocation.objects.values_list("request_id", "output_tokens")) == calls
    assert len(calls) == 4
    assert sorted(Reservation.objects.values_list("request_id", "state")) == holds
    settings.BIN_DAYS = 7
    assert retention.sweep(now=timezone.now())["bin"] == 1


def test_what_still_runs_when_it_is_deleted_for_good_is_ended_and_counted(ada: User) -> None:
    sent = scene.ask(ada)
    hands = scene.Hands()
    (taken,) = hands.take()
    Delta.objects.create(generation=taken, seq=1, text="Some words")
    Generation.objects.update(state="streaming", dispatched=True)
    organising.delete(ada, conversation=sent.conversation)
    organising.delete_for_good(ada, conversation=sent.conversation)
    assert not (Generation.objects.exists() or Delta.objects.exists() or Conversation.objects.exists())
    call = Invocation.objects.get()
    assert (call.request_id, call.outcome, call.output_tokens > 0) == (sent.generation.uuid, "cancelled", True)
    assert Reservation.objects.get().state == "settled"
    assert recovery.leaked_holds(now=timezone.now() + dt.timedelta(hours=1)) == 0
    assert not hands.end(taken), "its worker has nothing left to end"


def test_a_conversation_of_3000_messages_is_deleted_for_good(owner: User) -> None:
    home = Conversation.objects.create(user=owner, deleted_at=timezone.now())
    rows = Message.objects.bulk_create(
        Message(conversation=home, depth=depth, role="user" if depth % 2 == 0 else "assistant", text="x")
        for depth in range(3_000)
    )
    for parent, child in pairwise(rows):
        child.parent = parent
    Message.objects.bulk_update(rows, ["parent"], batch_size=300)
    Conversation.objects.update(leaf=rows[-1])
    assert organising.empty(owner) == 1
    assert not Message.objects.exists()


# --- unseen ---


def test_an_answer_that_ended_unseen_is_marked_until_the_conversation_is_opened(ada: User) -> None:
    sent = scene.answered(ada, "Slow question")
    client = of(ada)
    assert 'class="new"' in titles(client)
    assert client.get(f"/chat/{sent.conversation.uuid}/", headers={"Sec-Purpose": "prefetch"}).status_code == 200
    assert 'class="new"' in titles(client), "what a browser loads in advance nobody has seen"
    client.get(f"/chat/{sent.conversation.uuid}/")
    assert 'class="new"' not in titles(client)


def test_the_page_says_that_an_answer_was_seen(ada: User) -> None:
    sent = scene.answered(ada)
    assert post(of(ada), at(sent.conversation, "seen"), {}).status_code == 200
    assert json.dumps(Conversation.objects.get().unseen) == "false"


def test_what_runs_is_marked_as_running_and_not_as_unseen(ada: User) -> None:
    sent = scene.answered(ada)
    messages.send(ada, text="More", client_id=uuid.uuid4().hex, conversation=sent.conversation)
    shown = titles(of(ada))
    assert ('class="run"' in shown, 'class="new"' in shown) == (True, False)
