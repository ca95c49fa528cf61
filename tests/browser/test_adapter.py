"""The bench's adapter asks what the page asks: one question in Chromium and one through bench/adapter.py, request by request."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.moves import ask, ends, marked
from tests.processes import Person, Site

pytestmark = pytest.mark.browser
QUESTION = marked("Tell me", seed=3, n=40, gap=30, ttft=100)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Asked = tuple[str, str, tuple[str, ...], str, tuple[str, ...]]


def asked(method: str, url: str, *, accept: str, body: str) -> Asked:
    """A request by what counts: method, path without ids, names in its query, what it accepts, names in its body."""
    parts = urlsplit(url)
    query = tuple(sorted(set(parse_qs(parts.query)) - {"open"}))  # the first polls have nothing open yet
    fields = tuple(sorted(json.loads(body))) if body else ()
    return method, _UUID.sub("…", parts.path), query, accept, fields


class Recorder:
    """Stands where the bench has its HTTP client: asks for real and notes it."""

    seen: list[Asked] = []  # of all connections of the one test

    def __init__(self, host: str, port: int) -> None:
        self.base = f"http://{host}:{port}"

    async def request(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"", **more: Any
    ) -> tuple[int, dict[str, str], bytes]:
        if begin := more.get("on_send"):
            begin()
        self.seen.append(asked(method, path, accept=dict(headers)["Accept"], body=body.decode()))
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, self.base + path, headers=dict(headers), data=body or None) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.read()

    def close(self) -> None:
        """Every request had a connection of its own."""


class Sink:
    """Where the bench notes times and text."""

    text = ""

    def start(self) -> None:
        """The request goes out."""

    def snapshot(self, text: str) -> None:
        self.text = text


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Any:
    """bench/adapter.py beside stand-ins for the two modules of the shared bench that it needs."""
    adapters, benchlib = types.ModuleType("adapters"), types.ModuleType("benchlib")
    vars(adapters).update(Adapter=object)
    vars(benchlib).update(ChatError=RuntimeError, Http=Recorder)
    monkeypatch.setitem(sys.modules, "adapters", adapters)
    monkeypatch.setitem(sys.modules, "benchlib", benchlib)
    file = Path(__file__).resolve().parents[2] / "bench" / "adapter.py"
    spec = importlib.util.spec_from_file_location("bench_adapter", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    Recorder.seen = []
    return module


def in_the_page(page: Page, site: Site) -> list[Asked]:
    found: list[Asked] = []

    def note(request: Request) -> None:
        path = request.url.removeprefix(site.url())
        if not path.startswith("/static/"):
            accept = request.headers.get("accept", "")
            found.append(asked(request.method, path, accept=accept, body=request.post_data or ""))

    page.wait_for_timeout(300)
    page.on("request", note)
    ends(ask(page, QUESTION))
    expect(page.locator("#list .row[data-untitled]")).to_have_count(0, timeout=15_000)
    page.wait_for_timeout(500)
    page.remove_listener("request", note)
    return found


def through_the_adapter(adapter: Any, site: Site, person: Person) -> list[Asked]:
    portal = adapter.Portal.__new__(adapter.Portal)
    parts = urlsplit(site.url())
    portal.host, portal.port, portal.base = parts.hostname, parts.port, site.url()
    portal.opt = types.SimpleNamespace(model="demo")
    sink = Sink()

    async def turn() -> None:
        portal.browsers = [adapter.Browser(portal, {"email": person.email, **site.sign_in(person)})]
        await portal.chat(0, QUESTION, sink, 30)
        await portal.browsers[0].after

    with ThreadPoolExecutor(1) as thread:  # Playwright's own loop runs in this one
        thread.submit(lambda: asyncio.run(turn())).result()
    assert len(sink.text) > 100
    return Recorder.seen


def test_the_adapter_makes_the_requests_of_the_page(
    page: Page, portal_site: Site, adapter: Any, somebody: Person
) -> None:
    seen = in_the_page(page, portal_site)
    made = through_the_adapter(adapter, portal_site, portal_site.people(1)[0])
    once, twice = (list(dict.fromkeys(found)) for found in (seen, made))
    assert once == twice
    # The send, the polls, and once the end is there: that it was seen, and what the title is.
    assert [method for method, *_ in once] == ["POST", "GET", "GET"]
    assert once[-1] == ("GET", "/live/…", ("looked", "ticket", "title", "wait"), "application/json", ())
