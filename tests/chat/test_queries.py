"""Reads: strangers and unknown ids get the same 404; lists are paged; a window and a prompt cost the same for any length."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable

import pytest
from django.http import Http404
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from chat import queries
from chat.models import Conversation, Generation, Message
from tests.chat.scene import answered, ask

pytestmark = pytest.mark.django_db
READS = [
    (queries.conversation_for, lambda sent: sent.conversation),
    (queries.message_for, lambda sent: sent.answer),
    (queries.generation_for, lambda sent: sent.generation),
]


@pytest.mark.parametrize(("read", "of"), READS)
def test_the_owner_reads_a_teammate_and_a_stranger_do_not(
    owner: User, teammate: User, stranger: User, read: Callable[..., object], of: Callable[..., Conversation]
) -> None:
    row = of(ask(owner))
    assert read(owner, row.uuid) == row
    assert read(owner, str(row.uuid)) == row
    for other in (teammate, stranger):
        with pytest.raises(Http404) as foreign:
            read(other, row.uuid)
        with pytest.raises(Http404) as unknown:
            read(other, uuid.uuid4())
        assert foreign.value.args == unknown.value.args


@pytest.mark.parametrize(("read", "of"), READS)
@pytest.mark.parametrize("given", ["", "x", "1", None, 7, "' OR 1=1", "\x00"])
def test_what_is_no_id_is_not_found(ada: User, read: Callable[..., object], of: object, given: object) -> None:
    with pytest.raises(Http404):
        read(ada, given)


def chain(user: User, length: int, *, text: str = "word") -> Conversation:
    """A conversation of so many messages, made in bulk."""
    home = Conversation.objects.create(user=user)
    rows = [
        Message(conversation=home, depth=n, role="assistant" if n % 2 else "user", text=f"{text} {n}")
        for n in range(length)
    ]
    made = Message.objects.bulk_create(rows)
    for before, after in itertools.pairwise(made):
        after.parent = before
    Message.objects.bulk_update(made, ["parent"], batch_size=500)
    home.leaf = made[-1]
    home.save(update_fields=["leaf"])
    return home


def test_a_window_is_the_newest_part_of_the_path_and_older_ones_follow(ada: User) -> None:
    home = chain(ada, 10)
    newest = queries.window(home, limit=4)
    assert ([m.depth for m in newest.messages], newest.has_older) == ([6, 7, 8, 9], True)
    older = queries.window(home, before=newest.messages[0], limit=4)
    assert ([m.depth for m in older.messages], older.has_older) == ([2, 3, 4, 5], True)
    oldest = queries.window(home, before=older.messages[0], limit=4)
    assert ([m.depth for m in oldest.messages], oldest.has_older) == ([0, 1], False)
    assert queries.window(home, before=oldest.messages[0]).messages == []
    with pytest.raises(Http404):
        queries.window(chain(ada, 2), before=newest.messages[0])


def test_a_window_follows_the_branch_of_the_leaf(ada: User) -> None:
    first = answered(ada)
    other = Message.objects.create(
        conversation=first.conversation, parent=first.question, depth=1, role="assistant", text="Other."
    )
    Conversation.objects.update(leaf=other)
    home = queries.conversation_for(ada, first.conversation.uuid)
    assert [m.text for m in queries.window(home).messages] == ["Why?", "Other."]


@pytest.mark.parametrize("length", [1, 3, 300])
def test_a_window_costs_three_queries_however_long_the_conversation(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries, length: int
) -> None:
    home = chain(ada, 2 * length)
    with django_assert_num_queries(3):
        queries.window(home, limit=40)


def test_answers_carry_their_latest_generation_and_html_of_an_older_renderer_is_made_anew(ada: User) -> None:
    sent = answered(ada, reply="*so*")
    Message.objects.filter(pk=sent.answer.pk).update(html=["<p>old</p>"], html_version=0)
    latest = Generation.objects.create(
        user=ada, conversation=sent.conversation, message=sent.answer, deadline_at=sent.generation.deadline_at
    )
    (_, answer) = queries.window(queries.conversation_for(ada, sent.conversation.uuid)).messages
    given = vars(answer)  # what dress has added
    assert (given["generation"], given["blocks"]) == (latest, ["<p><em>so</em></p>\n"])


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_is_paged_newest_first_in_one_query(
    ada: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    made = [ask(ada).conversation for _ in range(rows)]
    ask(bob)
    with django_assert_num_queries(1):
        listing = queries.conversation_list(ada)
    assert list(listing.conversations) == made[::-1]
    assert [vars(c)["running"] for c in listing.conversations] == [True] * rows
    assert listing.next_cursor == ""
    seen: list[Conversation] = []
    cursor = ""
    for _ in range(rows):
        page = queries.conversation_list(ada, cursor=cursor, limit=1)
        seen += page.conversations
        cursor = page.next_cursor
    assert (seen, cursor) == (made[::-1], "")


@pytest.mark.parametrize(
    "cursor", ["x", "_", "1_", "_1", "-1_2", "9" * 40 + "_1", "1_" + "9" * 40, "²_1", "99999999999999999_1"]
)
def test_a_cursor_that_cannot_be_read_starts_from_the_top(ada: User, cursor: str) -> None:
    made = ask(ada).conversation
    assert list(queries.conversation_list(ada, cursor=cursor).conversations) == [made]


def job(home: Conversation, message: Message, *, start_offset: int = 0) -> Generation:
    assert home.leaf is not None
    return Generation(conversation=home, message=message, start_offset=start_offset)


def test_the_path_of_a_prompt_ends_with_the_question_or_with_the_answer_that_goes_on(ada: User) -> None:
    home = chain(ada, 4)
    leaf = home.leaf
    assert leaf is not None
    turns, older = queries.turns_for(job(home, leaf), context_window=8_000)
    assert ([t.text for t in turns], older) == (["word 0", "word 1", "word 2"], 0)
    turns, older = queries.turns_for(job(home, leaf, start_offset=4), context_window=8_000)
    assert ([t.text for t in turns], older) == (["word 0", "word 1", "word 2", "word"], 0)


@pytest.mark.parametrize("start_offset", [0, 4])
def test_turns_that_were_not_read_are_counted(ada: User, start_offset: int) -> None:
    home = chain(ada, 400, text="x" * 1_000)
    leaf = home.leaf
    assert leaf is not None
    turns, older = queries.turns_for(job(home, leaf, start_offset=start_offset), context_window=8_000)
    assert 0 < len(turns) < 100
    assert len(turns) + older == (400 if start_offset else 399)


def test_turns_beyond_the_most_that_are_read_are_counted(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PROMPT_MESSAGES", 10)
    home = chain(ada, 30)
    assert home.leaf is not None
    turns, older = queries.turns_for(job(home, home.leaf), context_window=8_000)
    assert (len(turns), older) == (10, 19)


def test_the_line_of_the_models_memory_stands_where_the_last_answer_was_cut(ada: User) -> None:
    home = answered(ada).conversation
    assert queries.memory_begins(home) is None
    question = Message.objects.get(role="user")
    Generation.objects.update(request={"sent": {"cut": 3, "first": str(question.uuid)}})
    assert queries.memory_begins(home) == question
    Generation.objects.update(request={"sent": {"cut": 0, "first": str(question.uuid)}})
    assert queries.memory_begins(home) is None
