"""The poll as an ASGI application with the real watcher on a real database: it holds, wakes, lets go, and tells strangers nothing."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from accounts.models import User
from chat import poll
from chat.live import Ticket, path_of, poll_url
from chat.models import Conversation, Generation
from chat.watch import Watcher
from tests.chat import scene
from tests.chat.reading import Reader, db, play, timed, watching
from tests.chat.scene import Hands, State, answered, ask

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")


@pytest.fixture(autouse=True)
def watcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    with watching(monkeypatch) as made:
        yield made


@pytest.fixture
def ada(transactional_db: None) -> User:
    scene.model()
    return scene.person("ada")


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def running(ada: User, hands: Hands) -> Generation:
    ask(ada)
    return hands.take()[0]


def test_a_poll_without_wait_says_at_once_how_things_stand(ada: User, watcher: Watcher) -> None:
    generation = ask(ada).generation
    reader = Reader(ada)

    async def story() -> None:
        answer, took = await timed(reader.poll(reader.url(generation)))
        assert (answer.status, took < 1) == (200, True)
        assert answer.json == {"seq": 1, "state": "queued", "blocks": [], "tail": "", "open": 0, "note": None}
        assert answer.headers[b"cache-control"] == b"no-store"

    play(watcher, story)


def test_a_held_poll_wakes_with_new_text_and_not_before(
    ada: User, watcher: Watcher, running: Generation, hands: Hands
) -> None:
    reader = Reader(ada)

    async def story() -> None:
        first, _ = await timed(reader.poll(reader.url(running)))
        task = asyncio.create_task(timed(reader.poll(reader.url(running), seen=first.json["seq"], wait=20)))
        await asyncio.sleep(0.6)
        assert not task.done()
        assert watcher.held == 1
        shown = time.monotonic()
        await db(hands.show, running, "Because")
        answer, _ = await task
        assert time.monotonic() - shown < 1
        assert answer.json["state"] == "streaming"
        assert "Because" in answer.json["tail"] + str(answer.json["blocks"])
        assert watcher.held == 0

    play(watcher, story)


def test_a_held_poll_is_answered_when_its_time_is_over(ada: User, watcher: Watcher, running: Generation) -> None:
    reader = Reader(ada)

    async def story() -> None:
        answer, took = await timed(reader.poll(reader.url(running), seen=99, wait=1))
        assert (answer.status, answer.json["blocks"]) == (200, [])
        assert 0.9 < took < 2

    play(watcher, story)


def test_nobody_is_held_longer_than_the_setting(
    ada: User, watcher: Watcher, running: Generation, settings: LazySettings
) -> None:
    settings.POLL_HOLD_S = 0.5
    reader = Reader(ada)

    async def story() -> None:
        _, took = await timed(reader.poll(reader.url(running), seen=99, wait=50))
        assert took < 1.5

    play(watcher, story)


def test_the_end_brings_all_blocks_the_note_and_the_title(ada: User, watcher: Watcher) -> None:
    sent = answered(ada, reply="a\n\n*b*", state=State.INTERRUPTED)
    Conversation.objects.update(title="The sky")
    reader = Reader(ada)

    async def story() -> None:
        answer, took = await timed(reader.poll(reader.url(sent.generation), seen=99, wait=20))
        made = answer.json
        assert took < 1
        assert (made["state"], made["blocks"], made["tail"]) == ("interrupted", [[0, "<p>a\n\n*b*</p>"]], "")
        assert (made["title"], made["note"]["actions"]) == ("The sky", ["continue", "regenerate"])
        assert "poll_url" not in made
        assert not {"whole", "lang", "untitled"} & set(made)

    play(watcher, story)


def test_a_whole_answer_is_followed_to_its_end(ada: User, watcher: Watcher, running: Generation, hands: Hands) -> None:
    reader = Reader(ada)

    async def writes() -> None:
        for number in range(12):
            await db(hands.show, running, f"{number}\n\n")
            await asyncio.sleep(0.02)
        await db(hands.end, running, text="whole")

    async def story() -> None:
        writing = asyncio.create_task(writes())
        seen, state, polls, blocks = 0, "", 0, {}
        while state != "done":
            answer = await reader.poll(reader.url(running), seen=seen, wait=20)
            assert answer is not None
            made = answer.json
            assert made["seq"] > seen
            seen, state = made["seq"], made["state"]
            polls += 1
            if state == "streaming":
                blocks.update(dict(made["blocks"]))
        await writing
        assert polls >= 3
        for number, html in blocks.items():
            assert html in (f"<p>{number}</p>\n", "")

    play(watcher, story)


def test_while_the_database_is_away_a_poll_is_told_so_and_the_next_one_goes_on(ada: User, watcher: Watcher) -> None:
    generation = ask(ada).generation
    reader = Reader(ada)

    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    async def story() -> None:
        await db(rename, "django_session", "gone")
        try:
            answer, _ = await timed(reader.poll(reader.url(generation)))
        finally:
            await db(rename, "gone", "django_session")
        assert (answer.status, answer.json["error"]["code"]) == (503, "database_away")
        assert answer.headers[b"retry-after"] == b"1"
        answer, _ = await timed(reader.poll(reader.url(generation)))
        assert answer.status == 200

    play(watcher, story)


def test_a_reader_who_leaves_is_let_go_and_nothing_is_sent(ada: User, watcher: Watcher, running: Generation) -> None:
    reader = Reader(ada)

    async def story() -> None:
        leaves = asyncio.Event()
        task = asyncio.create_task(reader.poll(reader.url(running), seen=99, wait=20, leaves=leaves))
        await asyncio.sleep(0.3)
        assert watcher.held == 1
        leaves.set()
        assert await asyncio.wait_for(task, timeout=1) is None
        assert (watcher.held, watcher._waiters) == (0, {})

    play(watcher, story)


def test_held_polls_are_answered_at_once_when_the_process_is_about_to_stop(
    ada: User, watcher: Watcher, running: Generation
) -> None:
    reader = Reader(ada)

    async def story() -> None:
        tasks = [asyncio.create_task(reader.poll(reader.url(running), seen=99, wait=20)) for _ in range(5)]
        await asyncio.sleep(0.3)
        poll.stopping = True
        watcher.wake_all()
        answers = await asyncio.wait_for(asyncio.gather(*tasks), timeout=1)
        assert [a.status for a in answers if a] == [200] * 5
        _, took = await timed(reader.poll(reader.url(running), seen=99, wait=20))
        assert took < 0.5

    play(watcher, story)


def test_foreign_forged_old_and_unknown_all_get_the_same_404(ada: User, watcher: Watcher, running: Generation) -> None:
    reader, other = Reader(ada), Reader(scene.person("eve"))
    url = reader.url(running)
    eves = poll_url(running, session_key=other.key, user=other.user)
    old = path_of(Ticket(str(running.uuid), ada.pk, 1, reader.key, "en", int(time.time()) - 1))
    unknown = poll_url(Generation(uuid=uuid.uuid4()), session_key=reader.key, user=ada)

    async def story() -> None:
        answers = [
            await other.poll(url),  # ada's ticket in eve's browser
            await other.poll(eves),  # a ticket of eve's for ada's answer
            await other.poll(eves, seen=99, wait=5),
            await reader.poll(url, cookie=""),
            await reader.poll(url[:-1] + ("0" if url[-1] != "0" else "1")),
            await reader.poll(url.replace(str(running.uuid), str(uuid.uuid4()))),
            await reader.poll(url.replace(str(running.uuid), "x")),
            await reader.poll(f"/live/{running.uuid}?ticket="),
            await reader.poll(old),
            await reader.poll(unknown),
        ]
        assert {(a.status, a.body) for a in answers if a} == {(404, poll.NOT_FOUND)}
        assert len([a for a in answers if a]) == len(answers)
        good = await reader.poll(url, method="POST")
        assert good is not None
        assert good.status == 405

    play(watcher, story)


@pytest.mark.parametrize(
    "query", ["seen=-1", "seen=x&wait=1e9", "seen=" + "9" * 50, "wait=-5", "open=x", "seen=٣", "%ff=%ff"]
)
def test_odd_numbers_in_the_query_harm_nothing(ada: User, watcher: Watcher, query: str) -> None:
    sent = answered(ada)
    reader = Reader(ada)

    async def story() -> None:
        answer = await reader.poll(f"{reader.url(sent.generation)}&{query}")
        assert answer is not None
        assert answer.status == 200

    play(watcher, story)


@pytest.mark.parametrize("others", ['a={"b": 1}; ', "=; ;;", 'x="; ', "a b c; "])
def test_odd_cookies_of_others_do_not_hide_ours(ada: User, watcher: Watcher, others: str) -> None:
    sent = answered(ada)
    reader = Reader(ada)

    async def story() -> None:
        answer = await reader.poll(reader.url(sent.generation), cookie=f"{others}sessionid={reader.key}")
        assert answer is not None
        assert answer.status == 200

    play(watcher, story)


def test_a_ticket_is_renewed_before_it_ends(
    ada: User, watcher: Watcher, running: Generation, settings: LazySettings
) -> None:
    reader = Reader(ada)
    short = Ticket(str(running.uuid), ada.pk, 1, reader.key, "en", int(time.time() + settings.TICKET_S / 2 - 5))

    async def story() -> None:
        fresh = await reader.poll(path_of(replace(short, expires=int(time.time() + settings.TICKET_S))))
        assert fresh is not None
        assert "poll_url" not in fresh.json
        answer = await reader.poll(path_of(short))
        assert answer is not None
        renewed = answer.json["poll_url"]
        expires = int(parse_qs(urlsplit(renewed).query)["ticket"][0].split(".")[0], 16)
        assert settings.TICKET_S - 5 < expires - time.time() <= settings.TICKET_S
        again = await reader.poll(renewed)
        assert again is not None
        assert again.status == 200

    play(watcher, story)


ENDS: dict[str, Callable[[Reader], object]] = {
    "session version raised": lambda r: User.objects.filter(pk=r.user.pk).update(session_version=2),
    "signed out": lambda r: Session.objects.filter(session_key=r.stored).delete(),
    "session over": lambda r: Session.objects.filter(session_key=r.stored).update(expire_date=timezone.now()),
    "deactivated": lambda r: User.objects.filter(pk=r.user.pk).update(is_active=False),
    "password expired": lambda r: User.objects.filter(pk=r.user.pk).update(password_expired=True),
    "answer deleted": lambda r: Generation.objects.all().delete(),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_ticket_dies_within_a_second_also_in_a_held_poll_and_beside_another_session(
    ada: User, watcher: Watcher, running: Generation, end: str
) -> None:
    reader, other = Reader(ada), Reader(ada)

    async def story() -> None:
        held = asyncio.create_task(reader.poll(reader.url(running), seen=99, wait=20))
        second = asyncio.create_task(other.poll(other.url(running), seen=99, wait=4))
        await asyncio.sleep(0.4)
        await db(ENDS[end], reader)
        ended = time.monotonic()
        answer = await held
        assert answer is not None
        assert (answer.status, answer.body) == (404, poll.NOT_FOUND)
        assert time.monotonic() - ended < 2.5  # a second, and what a busy machine adds
        later = await reader.poll(reader.url(running))
        assert later is not None
        assert later.status == 404
        kept = await second
        assert kept is not None
        assert kept.status == (200 if end in {"signed out", "session over"} else 404)

    play(watcher, story)


def test_no_text_reaches_a_session_that_has_ended(
    ada: User, watcher: Watcher, running: Generation, hands: Hands
) -> None:
    reader = Reader(ada)

    async def story() -> None:
        task = asyncio.create_task(reader.poll(reader.url(running), seen=99, wait=20))
        await asyncio.sleep(0.3)
        await db(Session.objects.all().delete)
        await asyncio.sleep(1.5)
        await db(hands.show, running, "secret")
        answer = await task
        assert answer is not None
        assert b"secret" not in answer.body
        assert answer.status == 404

    play(watcher, story)


@pytest.fixture
def queries_run(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Statements of all threads by kind; looking at the data_version is none."""
    counted: Counter[str] = Counter()
    real, lock = CursorWrapper.execute, threading.Lock()

    def execute(self: CursorWrapper, sql: Any, params: Any = None) -> Any:
        if not str(sql).startswith("PRAGMA"):
            with lock:
                counted["all"] += 1
        return real(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", execute)
    return counted


def test_held_polls_cost_no_query_and_no_thread_each(
    ada: User, watcher: Watcher, running: Generation, queries_run: Counter[str]
) -> None:
    reader = Reader(ada)

    async def cost(polls: int) -> int:
        tasks = [asyncio.create_task(reader.poll(reader.url(running), seen=99, wait=3)) for _ in range(polls)]
        await asyncio.sleep(0.5)
        assert watcher.held == polls
        before = queries_run["all"]
        await asyncio.sleep(2)
        used = queries_run["all"] - before
        await asyncio.gather(*tasks)
        return used

    async def story() -> None:
        await reader.poll(reader.url(running))
        few = await cost(1)
        threads = threading.active_count()
        many = await cost(200)
        assert threading.active_count() <= threads
        assert few > 0  # the watcher looks
        assert many <= few + 8  # and looks as often for two hundred: two rounds more at most

    play(watcher, story)
