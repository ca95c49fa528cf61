"""The guard by itself: what it hands to a thread, what it refuses, and what it lets go of."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished
from django.http import HttpResponse
from django.urls import path

from portal.admission import Limits, body_limit
from portal.guard import Guard

Messages = list[dict[str, Any]]


class Client:
    """One ASGI request: the messages it will send, and those it was sent."""

    def __init__(
        self, *pieces: bytes, method: str = "GET", path: bytes = b"/", headers: dict[str, str] | None = None
    ) -> None:
        given = {"host": "localhost", **(headers or {})}
        if pieces:
            given.setdefault("content-length", str(sum(map(len, pieces))))
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "http_version": "1.1",
            "path": path.decode(),
            "raw_path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
        }
        self.coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: Messages = []
        for number, piece in enumerate(pieces or (b"",), start=1):
            more = number < len(pieces)
            self.coming.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    def leave(self) -> None:
        self.coming.put_nowait({"type": "http.disconnect"})

    async def ask(self, guard: Guard) -> int:
        async def send(message: Any) -> None:
            self.sent.append(dict(message))

        await guard(self.scope, self.coming.get, send)
        return self.status

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"]) if self.sent else 0

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


class Application:
    """A WSGI application that notes what it saw and can be held."""

    def __init__(self, *, answer: bytes = b"ok") -> None:
        self.answer = answer
        self.seen: list[dict[str, Any]] = []
        self.closed = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> "Application":
        noted = dict(environ, body=environ["wsgi.input"].read(), thread=threading.get_ident())
        self.seen.append(noted)
        self.go_on.wait(10)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self

    def __iter__(self) -> Iterator[bytes]:
        yield self.answer

    def close(self) -> None:
        self.closed += 1


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Tell one story on a fresh event loop."""
    asyncio.run(asyncio.wait_for(story(), 10))


async def until(ready: Callable[[], bool]) -> None:
    """Wait, at most two seconds, for something that another thread does."""
    end = time.monotonic() + 2
    while not ready() and time.monotonic() < end:  # noqa: ASYNC110 - a thread sets no event of the loop
        await asyncio.sleep(0.005)
    assert ready()


def test_a_body_in_pieces_is_handed_over_whole_with_its_length() -> None:
    async def story() -> None:
        application = Application()
        client = Client(b"Please delete", b" not", method="POST")
        assert await client.ask(Guard(application)) == 200
        seen = application.seen[0]
        assert (seen["body"], seen["CONTENT_LENGTH"], seen["wsgi.input"].closed) == (b"Please delete not", "17", True)
        assert (client.body, client.headers[b"content-length"]) == (b"ok", b"2")

    run(story)


def test_a_sender_who_leaves_before_the_end_is_dropped_without_an_answer() -> None:
    async def story() -> None:
        application = Application()
        guard = Guard(application)
        client = Client(b"Please delete", b" not", method="POST")
        client.coming.get_nowait()
        client.coming.get_nowait()
        client.coming.put_nowait({"type": "http.request", "body": b"Please delete", "more_body": True})
        client.leave()
        assert await client.ask(guard) == 0
        assert (application.seen, guard.bodies.count, guard.bodies.memory) == ([], 0, 0)

    run(story)


@pytest.mark.parametrize("said", ["16", "18", "0"])
def test_a_body_that_is_not_as_long_as_it_says_is_refused(said: str) -> None:
    async def story() -> None:
        application = Application()
        client = Client(b"Please delete not", method="POST", headers={"content-length": said})
        assert await client.ask(Guard(application)) == 400
        assert application.seen == []

    run(story)


def test_the_cap_is_the_path_s_own_and_holds_before_a_byte_is_read() -> None:
    async def story() -> None:
        guard = Guard(
            Application(), body_limit=lambda address: 10 if address == "/small" else 20, limits=Limits(linger_s=0.05)
        )
        assert await Client(b"a" * 15, method="POST", path=b"/large").ask(guard) == 200
        assert await Client(b"a" * 15, method="POST", path=b"/small").ask(guard) == 413
        unsaid = Client(b"a" * 8, b"a" * 8, method="POST", path=b"/small", headers={"transfer-encoding": "chunked"})
        unsaid.scope["headers"] = [h for h in unsaid.scope["headers"] if h[0] != b"content-length"]
        assert await unsaid.ask(guard) == 413
        silent = Client(method="POST", path=b"/small", headers={"content-length": "11"})
        silent.coming.get_nowait()
        assert await silent.ask(guard) == 413

    run(story)
    assert body_limit("/chat/messages/") > 1_000_000


def test_a_refused_sender_hears_why_first_and_is_then_listened_to_until_its_end() -> None:
    async def story() -> None:
        client = Client(*[b"a" * 10] * 5, method="POST", headers={"content-length": "50"})
        assert await client.ask(Guard(Application(), body_limit=lambda address: 20)) == 413
        assert client.coming.empty()  # a connection closed on unread bytes would be reset, the answer lost
        assert [message.get("more_body") for message in client.sent[1:]] == [True, None]
        assert client.sent[1]["body"] == client.body

    run(story)


def test_bodies_share_one_budget_of_memory_and_one_of_disk() -> None:
    async def story() -> None:
        application = Application()
        application.go_on.clear()
        limits = Limits(body_memory=1000, memory=1500, disk=3000, linger_s=0.05)
        guard = Guard(application, limits=limits)
        asked = [asyncio.create_task(Client(b"a" * 900, method="POST").ask(guard)) for _ in range(3)]
        await until(lambda: len(application.seen) == 3)
        assert (guard.bodies.memory, guard.bodies.disk) == (900, 1800)
        asked.append(asyncio.create_task(Client(b"a" * 1100, method="POST").ask(guard)))
        await until(lambda: len(application.seen) == 4)
        assert await Client(b"a" * 200, method="POST").ask(guard) == 503
        application.go_on.set()
        assert await asyncio.gather(*asked) == [200] * 4
        assert (guard.bodies.count, guard.bodies.memory, guard.bodies.disk) == (0, 0, 0)

    run(story)


def test_more_than_the_queue_may_hold_is_told_503_at_once() -> None:
    async def story() -> None:
        application = Application()
        application.go_on.clear()
        guard = Guard(application, limits=Limits(threads=2, queue=3))
        asked = [asyncio.create_task(Client().ask(guard)) for _ in range(5)]
        await asyncio.sleep(0.05)
        late = Client()
        assert await late.ask(guard) == 503
        assert late.headers[b"retry-after"] == b"2"
        application.go_on.set()
        assert await asyncio.gather(*asked) == [200] * 5
        assert await Client().ask(guard) == 200

    run(story)


def test_a_reader_who_leaves_the_queue_is_never_served_but_a_complete_question_is() -> None:
    async def story() -> None:
        application = Application()
        application.go_on.clear()
        guard = Guard(application, limits=Limits(threads=1))
        first = asyncio.create_task(Client().ask(guard))
        await until(lambda: len(application.seen) == 1)
        reader, writer = Client(path=b"/read"), Client(b"question", method="POST", path=b"/ask")
        asked = [asyncio.create_task(client.ask(guard)) for client in (reader, writer)]
        await asyncio.sleep(0.02)
        reader.leave()
        writer.leave()
        assert await asked[0] == 0
        application.go_on.set()
        assert (await first, await asked[1]) == (200, 200)
        assert [seen["PATH_INFO"] for seen in application.seen] == ["/", "/ask"]
        await until(lambda: guard.threads.outstanding == 0)

    run(story)


def test_threads_are_kept_and_never_more_than_configured() -> None:
    async def story() -> None:
        application = Application()
        guard = Guard(application, limits=Limits(threads=3))
        for _ in range(5):
            assert await asyncio.gather(*(Client().ask(guard) for _ in range(8))) == [200] * 8
        assert len({seen["thread"] for seen in application.seen}) <= 3
        assert application.closed == 40

    run(story)


def test_each_request_has_a_context_of_its_own() -> None:
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="clean")
    found: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found.append(mark.get())
        mark.set("left behind")
        start_response("200 OK", [])
        return []

    async def story() -> None:
        guard = Guard(application, limits=Limits(threads=1))
        await Client().ask(guard)
        mark.set("of the request")
        await Client().ask(guard)

    run(story)
    assert found == ["clean", "of the request"]


def test_an_answer_beyond_the_cap_is_an_error_and_is_closed() -> None:
    async def story() -> None:
        application = Application(answer=b"x" * 101)
        assert await Client().ask(Guard(application, limits=Limits(answer=100))) == 500
        assert application.closed == 1
        assert await Client().ask(Guard(application, limits=Limits(answer=101))) == 200

    run(story)


def test_a_large_answer_leaves_in_pieces_and_whole() -> None:
    async def story() -> None:
        for size in (0, 1, 65_536, 65_537, 131_072, 300_000):
            client = Client()
            await client.ask(Guard(Application(answer=b"x" * size)))
            assert len(client.body) == size
            assert max(len(message["body"]) for message in client.sent[1:]) <= 65_536
            assert [message.get("more_body", False) for message in client.sent[1:]][-1] is False

    run(story)


def test_a_refusal_speaks_the_language_that_was_asked_for() -> None:
    async def story() -> None:
        plain, program = Client(path=b"/%00"), Client(path=b"/%00", headers={"accept": "application/json"})
        for client in (plain, program):
            assert await client.ask(Guard(Application())) == 400
            assert client.headers[b"cache-control"] == b"no-store"
        assert plain.body == b"The address holds a NUL.\n"
        assert program.body == b'{"error":{"code":"bad_request","message":"The address holds a NUL."}}'

    run(story)


def test_the_path_reaches_wsgi_as_the_bytes_that_were_sent() -> None:
    async def story() -> None:
        application = Application()
        for sent in (b"/caf%C3%A9", b"/bad%ff", b"/a%2Fb"):
            await Client(path=sent).ask(Guard(application))
        assert [seen["PATH_INFO"] for seen in application.seen] == ["/caf\xc3\xa9", "/bad\xff", "/a/b"]

    run(story)


def test_cookies_are_joined_as_cookies_and_other_headers_as_lists() -> None:
    async def story() -> None:
        application = Application()
        client = Client()
        client.scope["headers"] += [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"accept", b"x"), (b"accept", b"y")]
        await client.ask(Guard(application))
        seen = application.seen[0]
        assert (seen["HTTP_COOKIE"], seen["HTTP_ACCEPT"]) == ("a=1; b=2", "x,y")

    run(story)


def test_a_request_under_way_when_time_is_up_is_told_503_and_one_in_the_queue_never_runs() -> None:
    async def story() -> None:
        application = Application()
        application.go_on.clear()
        guard = Guard(application, limits=Limits(threads=1))
        clients = [Client(b"a", method="POST", path=b"/1"), Client(b"b", method="POST", path=b"/2")]
        asked = [asyncio.create_task(client.ask(guard)) for client in clients]
        await until(lambda: len(application.seen) == 1)
        for task in asked:
            task.cancel()
        assert await asyncio.gather(*asked) == [503, 503]
        application.go_on.set()
        await until(lambda: guard.threads.outstanding == 0)
        assert [seen["PATH_INFO"] for seen in application.seen] == ["/1"]

    run(story)


def test_a_request_without_an_answer_is_told_503_in_time_and_one_still_in_the_queue_never_runs() -> None:
    async def story() -> None:
        application = Application()
        application.go_on.clear()
        guard = Guard(application, limits=Limits(threads=1, patience_s=0.3))
        clients = [Client(b"a", method="POST", path=b"/1"), Client(b"b", method="POST", path=b"/2"), Client(path=b"/3")]
        assert await asyncio.gather(*(client.ask(guard) for client in clients)) == [503] * 3
        assert clients[0].headers[b"retry-after"] == b"2"
        application.go_on.set()
        await until(lambda: guard.threads.outstanding == 0)
        assert [seen["PATH_INFO"] for seen in application.seen] == ["/1"]

    run(story)


urlpatterns = [path("here", lambda request: HttpResponse(request.body))]


def test_django_reads_its_body_and_hears_that_its_request_has_finished(settings: Any) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE, settings.ALLOWED_HOSTS = __name__, [], ["localhost"]
    finished: list[str] = []

    def note(**kwargs: Any) -> None:
        finished.append(threading.current_thread().name)

    request_finished.connect(note)
    try:

        async def story() -> None:
            client = Client(b"a ques", b"tion", method="POST", path=b"/here")
            assert await client.ask(Guard(WSGIHandler(), limits=Limits(threads=1))) == 200
            assert client.body == b"a question"

        run(story)
    finally:
        request_finished.disconnect(note)
    assert finished == ["web-0"]
