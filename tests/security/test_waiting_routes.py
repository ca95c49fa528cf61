"""The addresses that are answered before Django: which there are, and that no credential but the reader's own opens a poll."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from accounts.models import User
from chat import poll
from chat.live import poll_url, read_ticket
from chat.watch import Watcher
from portal import asgi, held
from tests.chat import scene
from tests.chat.reading import Reader, play
from tests.security.routes import WAITING

pytestmark = pytest.mark.django_db(transaction=True)


def addresses(source: str) -> set[str]:
    """Every text in this code that begins like an address."""
    texts = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    found = (text.decode() if isinstance(text, bytes) else text for text in texts)
    return {text for text in found if isinstance(text, str) and text.startswith("/") and len(text) > 1}


def test_the_addresses_before_django_are_the_declared_ones() -> None:
    assert addresses(inspect.getsource(asgi)) == WAITING
    assert addresses(inspect.getsource(held)) <= WAITING


def test_the_search_sees_a_planted_address() -> None:
    assert addresses('if path.startswith("/hole/") or path == b"/other":\n    pass\n') == {"/hole/", "/other"}


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    made, threads = Watcher(), ThreadPoolExecutor(1)
    monkeypatch.setattr(poll, "watcher", made)
    monkeypatch.setattr(poll, "_threads", threads)
    monkeypatch.setattr(poll, "stopping", False)
    yield made
    made.stop()
    threads.submit(connections.close_all).result(timeout=5)
    threads.shutdown()


def test_nobody_but_the_asker_reads_along_whatever_he_shows(watcher: Watcher) -> None:
    scene.model()
    names = ("owner", "mate", "stranger", "boss")
    owner, *others = (User.objects.create(email=f"{name}@example.com", password="!") for name in names)
    User.objects.filter(pk=others[2].pk).update(is_staff=True, is_superuser=True)
    generation = scene.answered(owner, reply="canary-of-the-owner").generation
    reader = Reader(owner)
    theirs = [Reader(user) for user in others]
    unknown = poll_url(generation, session_key=reader.key, user=owner).replace(str(generation.uuid), "0" * 32)

    async def story() -> None:
        own = await reader.poll(reader.url(generation))
        assert own is not None and own.status == 200 and b"canary" in own.body
        none = await reader.poll(unknown)
        assert none is not None and none.status == 404
        tries: list[tuple[str, Any]] = [("no cookie", await reader.poll(reader.url(generation), cookie=""))]
        for his in theirs:
            user = his.user
            tries += [
                # A ticket that we made, for a generation that is not his; then the owner's with his own cookie.
                (f"own ticket of {user}", await his.poll(his.url(generation))),
                (f"the owner's ticket by {user}", await his.poll(reader.url(generation))),
                (f"no ticket by {user}", await his.poll(f"/live/{generation.uuid}?")),
            ]
        for name, answer in tries:
            assert (name, answer.status, answer.body, answer.headers) == (name, 404, none.body, none.headers)
        for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = await reader.poll(reader.url(generation), method=method)
            assert answer is not None and answer.status == 405 and b"canary" not in answer.body

    # The tickets of strangers are genuine: it is the database that says no.
    his = theirs[1]
    ticket = his.url(generation).partition("ticket=")[2]
    assert read_ticket(ticket, generation=str(generation.uuid), session_key=his.key) is not None
    play(watcher, story)
