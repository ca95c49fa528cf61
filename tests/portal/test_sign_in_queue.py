"""Many sign-ins at once: their waiting costs no thread, so pages go on; all are answered, and who leaves is let go."""

import asyncio
import threading
import time
from typing import Any

from portal.admission import Limits
from portal.guard import HASHING_AT_ONCE, Guard
from tests.portal.test_guard import Client


class Door:
    """A WSGI application whose sign-in takes a while; notes how many ran at once."""

    def __init__(self) -> None:
        self.running = self.most = self.served = 0
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/accounts/login/" and environ["REQUEST_METHOD"] == "POST":
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            time.sleep(0.2)
            with self.lock:
                self.running -= 1
                self.served += 1
        start_response("200 OK", [])
        return [b"ok"]


def sign_in() -> Client:
    return Client(b"login=a", method="POST", path=b"/accounts/login/")


def test_twenty_sign_ins_leave_threads_for_pages() -> None:
    async def scenario() -> tuple[list[int], float]:
        guard = Guard(door, limits=Limits(threads=8))
        people = [asyncio.create_task(sign_in().ask(guard)) for _ in range(20)]
        await asyncio.sleep(0.05)
        start = time.perf_counter()
        assert await Client().ask(guard) == 200
        took = time.perf_counter() - start
        found = await asyncio.gather(*people)
        guard.threads.stop()
        return found, took

    door = Door()
    found, took = asyncio.run(scenario())
    assert found == [200] * 20
    assert (door.most, door.served) == (HASHING_AT_ONCE, 20)
    assert took < 0.25  # without the queue on the loop: 0.35 and more


def test_a_sign_in_that_is_cut_off_while_it_waits_gives_everything_back() -> None:
    async def scenario() -> None:
        guard = Guard(door, limits=Limits(threads=8))
        people = [asyncio.create_task(sign_in().ask(guard)) for _ in range(10)]
        await asyncio.sleep(0.05)
        for late in people[HASHING_AT_ONCE:]:
            late.cancel()
        await asyncio.gather(*people)
        assert await sign_in().ask(guard) == 200
        assert guard.threads.outstanding == 0
        guard.threads.stop()

    door = Door()
    asyncio.run(scenario())
    assert door.served == HASHING_AT_ONCE + 1
