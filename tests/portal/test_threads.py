"""Who gets a thread first when there are more requests than threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

from pytest import MonkeyPatch

from portal import threads
from portal.threads import Threads


def order_of(*methods: str) -> list[str]:
    """One thread that is busy while `methods` come in, in that order: in which order they are served."""
    free, served = threading.Event(), list[str]()

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "BUSY":
            free.wait(5)
        else:
            served.append(environ["REQUEST_METHOD"])
        start("200 OK", [])
        return [b""]

    async def rush() -> None:
        pool = Threads(application, count=1, answer_limit=100)
        jobs = [pool.submit({"REQUEST_METHOD": method}, done=lambda: None) for method in ("BUSY", *methods)]
        free.set()
        await asyncio.gather(*(job.future for job in jobs))
        pool.stop()

    asyncio.run(rush())
    return served


def test_in_a_rush_what_does_something_goes_before_what_only_looks() -> None:
    assert order_of("GET", "HEAD", "POST", "DELETE") == ["POST", "DELETE", "GET", "HEAD"]


def test_who_has_let_others_pass_for_long_enough_is_next(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PATIENT_S", 0.0)
    assert order_of("GET", "POST", "HEAD", "PUT") == ["GET", "POST", "HEAD", "PUT"]
