"""An answer word by word, and the wait for it: nothing is missed, nothing is sent twice, and whoever may not read any more is cut off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts import api_keys
from accounts.models import ApiKey, LoginSession, User
from api import stream_rights, streaming, waiting
from chat import organising, poll
from chat.models import Conversation, Generation
from chat.watch import Watcher
from tests.api.conftest import key_of, token_of
from tests.api.program import asking, over, watching
from tests.chat import scene
from tests.chat.reading import db, play
from tests.chat.scene import Hands

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    with watching(monkeypatch) as made:
        yield made


@pytest.fixture
def asked(ada: User) -> tuple[str, Generation, Hands]:
    """A question whose answer is in a worker's hands."""
    scene.model()
    scene.ask(ada)
    hands = Hands()
    (row,) = hands.take()
    return f"generations/{row.uuid}/", row, hands


def test_it_comes_word_by_word_and_ends_as_a_get_shows_it(
    watcher: Watcher, ada: User, asked: tuple[str, Generation, Hands]
) -> None:
    (path, row, hands), key = asked, key_of(ada)

    async def story() -> None:
        await db(hands.show, row, "Because ")
        async with asking(path, key, stream=True) as read:
            first = await read.until("answer")
            assert (first.data["text"], first.id, first.data["state"]) == ("Because ", "8", "streaming")
            assert (read.status, read.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            assert "x-await" not in read.headers and "content-length" not in read.headers
            await db(hands.show, row, "of ", "猫", "\r", "\n")
            while read.text != "Because of 猫\r\n":
                read.came.clear()
                await asyncio.wait_for(read.came.wait(), timeout=5)
            assert (read.events[-1].id, read.events[-1].data["next_after"]) == ("14", 14)
            await db(hands.end, row, text="Because of 猫\r\n")
            end = await read.until("end")
            await over(read)
        assert read.text == "Because of 猫\r\n"
        assert (end.data["state"], end.data["ended"], end.data["text"], end.id) == ("done", True, "", "14")
        assert end.data["usage"] == {"input_tokens": 10, "output_tokens": 3, "estimated": False}

    play(watcher, story)
    assert stream_rights.count(ada.pk) == 0


def test_what_has_ended_is_sent_at_once_and_a_stream_goes_on_where_it_was_cut_off(watcher: Watcher, ada: User) -> None:
    scene.model()
    path, key = f"generations/{scene.answered(ada).generation.uuid}/", key_of(ada)

    async def story() -> None:
        async with asking(path, key, stream=True) as read:
            await over(read)
        assert [event.name for event in read.events] == ["answer", "end"]
        assert read.text == "Because."
        async with asking(path, key, stream=True, last="3") as rest:
            await over(rest)
        assert (rest.text, rest.events[-1].id) == ("ause.", "8")
        async with asking(path, key, stream=True, last="x") as odd:
            await over(odd)
        assert odd.text == "Because."

    play(watcher, story)


def test_one_who_reads_slowly_gets_all_of_it_in_few_pieces(
    watcher: Watcher, ada: User, asked: tuple[str, Generation, Hands]
) -> None:
    (path, row, hands), key = asked, key_of(ada)
    pieces = [f"word {number} " for number in range(200)]

    async def story() -> None:
        async with asking(path, key, reads=False, stream=True) as slow, asking(path, key, stream=True) as quick:
            await quick.until("answer")
            for begin in range(0, 200, 10):
                await db(hands.show, row, *pieces[begin : begin + 10])
            while quick.text != "".join(pieces):
                quick.came.clear()
                await asyncio.wait_for(quick.came.wait(), timeout=5)
            assert slow.raw == b""
            slow.reads.set()
            while slow.text != "".join(pieces):
                slow.came.clear()
                await asyncio.wait_for(slow.came.wait(), timeout=5)
            assert len(slow.events) <= 4 < len(quick.events)

    play(watcher, story)


def _off(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)


def _revoked(ada: User) -> None:
    api_keys.revoke(ApiKey.objects.get(), by=ada)


def _signed_out(ada: User) -> None:
    assert LoginSession.objects.filter(user=ada).update(ended_at=LoginSession.objects.get().created_at)


def _thrown_away(ada: User) -> None:
    organising.delete(ada, conversation=Conversation.objects.get())


@pytest.mark.parametrize(
    ("cut", "make", "codes"),
    [
        (_off, key_of, {"invalid_key"}),
        (_revoked, key_of, {"invalid_key"}),
        (_signed_out, token_of, {"invalid_token"}),
        (_off, token_of, {"invalid_token"}),
        (_thrown_away, key_of, {"not_found"}),
    ],
)
def test_who_may_not_read_any_more_is_cut_off_within_a_second(
    watcher: Watcher, ada: User, asked: tuple[str, Generation, Hands], cut: Callable[[User], None],
    make: Callable[[User], str], codes: set[str],
) -> None:  # fmt: skip
    (path, row, hands), credential = asked, make(ada)

    async def story() -> None:
        async with asking(path, credential, stream=True) as read:
            await read.until("answer")
            await db(cut, ada)
            began = time.monotonic()
            refused = await read.until("refused")
            assert time.monotonic() - began < 1.5  # the promise is one second; the machine is shared
            await over(read)
            await db(hands.show, row, "a secret") if cut is not _thrown_away else None
        assert refused.data["code"] in codes
        assert "secret" not in read.text and read.events[-1].name == "refused"

    play(watcher, story)


def test_a_strangers_stream_is_the_404_of_an_unknown_one(
    watcher: Watcher, ada: User, asked: tuple[str, Generation, Hands]
) -> None:
    path, key = asked[0], key_of(scene.person("eve"))

    async def story() -> None:
        async with asking(path, key, stream=True) as theirs:
            await over(theirs)
        async with asking("generations/00000000-0000-4000-8000-000000000000/", key, stream=True) as none:
            await over(none)
        assert theirs.status == none.status == 404
        assert theirs.json["code"] == none.json["code"] == "not_found"
        assert theirs.headers["content-type"] == "application/problem+json"

    play(watcher, story)


def test_a_process_that_stops_says_so_and_one_person_reads_only_so_many(
    watcher: Watcher, ada: User, asked: tuple[str, Generation, Hands], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key = asked[0], key_of(ada)
    monkeypatch.setattr(streaming, "MOST_EACH", 1)

    async def story() -> None:
        async with asking(path, key, stream=True) as read:
            await read.until("answer")
            async with asking(path, key, stream=True) as second:
                await over(second)
            assert second.events[-1].data["code"] == "too_many_streams"
            monkeypatch.setattr(poll, "stopping", True)
            watcher.wake_all()
            await over(read)
        assert read.events[-1].name == "" and read.events[-2].name == "stopping"
        assert b"retry: 1000" in read.raw

    play(watcher, story)


def test_a_wait_that_looked_before_the_news_and_listens_after_them_answers_at_once(
    watcher: Watcher, ada: User, asked: tuple[str, Generation, Hands], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault as it was: the watcher tells the news to nobody, and the wait begins when they are over."""
    (path, row, hands), key = asked, key_of(ada)

    async def story() -> None:
        real = waiting._news

        async def late(wanted: Any) -> None:
            await db(hands.show, row, "Because ")
            answer = watcher.answers[str(row.uuid)]
            while not answer.chars:  # noqa: ASYNC110  # the watcher's thread writes it and tells nobody
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            await real(wanted)

        monkeypatch.setattr(waiting, "_news", late)
        began = time.monotonic()
        async with asking(f"{path}?wait=20", key) as read:
            await over(read)
        assert read.json["text"] == "Because "
        assert time.monotonic() - began < 5

    play(watcher, story)
