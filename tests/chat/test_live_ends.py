"""What the poll that ends an answer says: all that the page needs, or that it has to ask; and that the end was seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from chat.models import Conversation, Generation, Message
from chat.watch import Watcher
from tests.chat import scene
from tests.chat.reading import Reader, db, play, timed, watching
from tests.chat.scene import State, answered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def watcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    with watching(monkeypatch) as made:
        yield made


@pytest.fixture
def ada(transactional_db: None) -> User:
    scene.model()
    return scene.person("ada")


def test_an_end_with_nothing_but_words_says_all_that_the_page_needs(ada: User, watcher: Watcher) -> None:
    sent = answered(ada, reply="因为天空是蓝色的。")
    reader = Reader(ada)

    async def story() -> None:
        answer = await reader.poll(reader.url(sent.generation), seen=99, wait=20)
        assert answer is not None
        made = answer.json
        assert (made["whole"], made["lang"], made["untitled"], made["note"]) == (True, "zh-Hans", True, None)

    play(watcher, story)


@pytest.mark.parametrize("more", ["thoughts", "cut", "length", "failed"])
def test_an_end_that_shows_more_than_words_is_asked_for(ada: User, watcher: Watcher, more: str) -> None:
    sent = answered(ada, state=State.FAILED if more == "failed" else State.DONE)
    if more == "thoughts":
        Message.objects.filter(pk=sent.answer.pk).update(reasoning="Hm.")
    changes: dict[str, dict[str, Any]] = {
        "cut": {"request": {"sent": {"cut": 2}}},
        "length": {"finish_reason": "length"},
    }
    Generation.objects.filter(pk=sent.generation.pk).update(**changes.get(more, {"tries": 0}))
    reader = Reader(ada)

    async def story() -> None:
        answer = await reader.poll(reader.url(sent.generation), seen=99, wait=20)
        assert answer is not None
        assert "whole" not in answer.json

    play(watcher, story)


def test_who_says_that_the_end_was_seen_has_no_news_in_the_list(ada: User, watcher: Watcher) -> None:
    """The newest end alone: what ended later is news."""
    sent = answered(ada)
    Conversation.objects.update(title="The sky", title_state="manual")
    reader = Reader(ada)

    async def story() -> None:
        await reader.poll(reader.url(sent.generation), seen=99)
        assert await db(lambda: Conversation.objects.get().unseen)
        answer, took = await timed(reader.poll(f"{reader.url(sent.generation)}&title=1&looked=1", wait=20))
        assert (answer.json, took < 1) == ({"state": "done", "title": "The sky"}, True)
        until = time.monotonic() + 5
        while await db(lambda: Conversation.objects.get().unseen):
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        later = timezone.now()
        await db(Conversation.objects.update, finished_at=later)
        await reader.poll(f"{reader.url(sent.generation)}&title=1&looked=1")
        await asyncio.sleep(1.5)
        assert await db(lambda: Conversation.objects.get().unseen)

    play(watcher, story)
