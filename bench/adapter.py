"""How the shared bench uses this portal: the page's own requests, one browser (one connection) per person.

Sessions come from a file that `manage.py seed --sessions` wrote (ACCOUNTS), else from the sign-in form. Measures nothing.
"""

from __future__ import annotations

import asyncio
import atexit
import html
import json
import os
import re
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

from adapters import Adapter
from benchlib import ChatError, Http

HOLD_S = 25
QUIET_S = 0.4
# As in chat/live.py: `open` is the open block's number times this, and how much of its source its HTML stands for.
BLOCK_NAMES = 10_000_000
FORM_PASSWORD = "bench-Passw0rd"
ENDED = {"failed", "cancelled", "interrupted"}
# A block's end stands for the blank that separated it from the next one.
_BREAK = re.compile(r"<(?:br\s*/?|/p|/li|/h\d|/pre|/tr)>\s*")
_TAG = re.compile(r"<[^>]+>")
# How long each send took, in ms. SENDS names a file for a summary, at the end.
sends: list[float] = []


def tell_sends(file: str) -> None:
    """One line of JSON: how many sends, and their median, 95th and 99th percentile and maximum in ms."""
    if sends:
        ordered = sorted(sends)
        of = {f"p{n}": round(ordered[min(len(ordered) - 1, len(ordered) * n // 100)], 1) for n in (50, 95, 99)}
        with Path(file).open("a", encoding="utf-8") as out:
            out.write(json.dumps({"sends": len(ordered), **of, "max": round(ordered[-1], 1)}) + "\n")


if os.environ.get("SENDS"):
    atexit.register(tell_sends, os.environ["SENDS"])


def text_of(block: str) -> str:
    """The words of a rendered block."""
    return html.unescape(_TAG.sub("", _BREAK.sub(" ", block)))


class Turn:
    """The answer as the page has it: blocks by number, and the plain tail after the last one."""

    def __init__(self) -> None:
        self.blocks: dict[int, str] = {}
        self.tail = ""

    def take(self, answer: dict[str, Any]) -> str:
        """Puts a poll's news in its place, as static/js/answer.js does; returns the whole text so far."""
        for index, block in answer["blocks"]:
            self.blocks[index] = block
        self.tail = answer["tail"]
        shown = "".join(text_of(self.blocks[index]) for index in sorted(self.blocks))
        blank = answer["blocks"] and self._ends_with_blank(answer["open"], last=answer["blocks"][-1])
        return joined(shown, self.tail or (" " if blank else ""))

    @staticmethod
    def _ends_with_blank(opened: int, *, last: tuple[int, str]) -> bool:
        """HTML also drops the blank after a word that is complete; that it has come shows in how much source the block stands for."""
        number, chars = divmod(opened, BLOCK_NAMES)
        return number == last[0] and chars > len(text_of(last[1]).strip())


def joined(shown: str, tail: str) -> str:
    """HTML drops the blank at a block's end, and a block's end adds one: the tail goes on where the source did."""
    shown = shown.rstrip()
    return f"{shown}{tail}" if not shown or tail[:1] in {" ", "\n"} or not tail else f"{shown} {tail}"


class Browser:
    """One person's connection and cookies."""

    def __init__(self, adapter: Adapter, account: dict[str, str]) -> None:
        self.http = Http(adapter.host, adapter.port)
        self.beside = Http(adapter.host, adapter.port)
        self.after: asyncio.Task[None] | None = None
        self.cookies = {"sessionid": account["sessionid"], "csrftoken": account["csrftoken"]}
        self.origin = adapter.base
        self.model: str = adapter.opt.model

    def headers(self) -> list[tuple[str, str]]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return [("Accept", "application/json"), ("Cookie", cookie)]

    async def send(self, prompt: str, *, sink: Any, timeout: float) -> dict[str, Any]:
        """The composer's request. Returns the 202's JSON."""
        fields = {"text": prompt, "client_id": str(uuid.uuid4()), "model": self.model}
        headers = [
            *self.headers(),
            ("Content-Type", "application/json"),
            ("X-CSRFToken", self.cookies["csrftoken"]),
            ("Origin", self.origin),
        ]
        began = time.perf_counter()
        status, _, body = await self.http.request(
            "POST", "/chat/messages/", headers, json.dumps(fields).encode(), timeout=timeout, on_send=sink.start
        )
        sends.append((time.perf_counter() - began) * 1000)
        if status != 202:
            raise ChatError(f"send {status} {body[:100].decode('latin-1')}")
        accepted: dict[str, Any] = json.loads(body)
        return accepted

    async def follow(self, url: str, *, sink: Any, timeout: float) -> str:
        """The rhythm of static/js/poll.js for a tab that is looked at. Returns what the page asks after the end."""
        seen, opened, end, turn = 0, None, time.monotonic() + timeout, Turn()
        while time.monotonic() < end:
            before = time.monotonic()
            answer = await self.poll(url, seen=seen, opened=opened, timeout=end - before)
            news = answer["seq"] != seen
            seen, opened = answer["seq"], answer.get("open")
            url = answer.get("poll_url") or url
            sink.snapshot(turn.take(answer))
            if answer["state"] == "done":
                if not answer.get("whole"):
                    raise ChatError("the end is not whole")
                wait = 20 if answer["untitled"] else 0
                return f"{url}&title=1&wait={wait}&looked=1"
            if answer["state"] in ENDED:
                raise ChatError(f"{answer['state']}: {(answer.get('note') or {}).get('kind', '')}")
            if not news and time.monotonic() - before < QUIET_S:
                await asyncio.sleep(QUIET_S)
        raise ChatError("timeout")

    async def settle(self, url: str, *, before: asyncio.Task[None] | None, timeout: float) -> None:
        """Once the answer is complete the page tells that it was seen, and hears the title when it is made."""
        if before is not None:
            await before
        status, _, _ = await self.beside.request("GET", url, self.headers(), timeout=timeout)
        if status != 200:
            raise ChatError(f"title {status}")

    async def poll(self, url: str, *, seen: int, opened: int | None, timeout: float) -> dict[str, Any]:
        query = f"&seen={seen}&wait={HOLD_S}" + ("" if opened is None else f"&open={opened}")
        status, _, body = await self.http.request("GET", url + query, self.headers(), timeout=timeout)
        if status != 200:
            raise ChatError(f"poll {status} {body[:100].decode('latin-1')}")
        answer: dict[str, Any] = json.loads(body)
        return answer


def read_accounts(file: Path) -> list[dict[str, str]]:
    """What `manage.py seed --sessions FILE` wrote; nothing without the file."""
    accounts: list[dict[str, str]] = json.loads(file.read_text()) if file.is_file() else []
    return accounts


async def sign_in(adapter: Adapter, email: str) -> dict[str, str]:
    """Through the form: a password hash each, so it is the fallback only."""
    http = Http(adapter.host, adapter.port)
    _, headers, _ = await http.request("GET", "/accounts/login/", [("Accept", "text/html")])
    cookies = dict(re.findall(r"(csrftoken|sessionid)=([^;]+)", headers.get("set-cookie", "")))
    form = {"login": email, "password": FORM_PASSWORD, "csrfmiddlewaretoken": cookies.get("csrftoken", "")}
    given = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", f"csrftoken={cookies.get('csrftoken', '')}"),
        ("Origin", adapter.base),
    ]
    # benchlib keeps one header of a name; Django's two cookies come as two: both are read from the raw head.
    wire = Cookies(http)
    status, _, _ = await http.request("POST", "/accounts/login/", given, urllib.parse.urlencode(form).encode())
    cookies |= wire.found
    http.close()
    if status != 302 or "sessionid" not in cookies:
        raise ChatError(f"sign-in of {email} was answered {status}: manage.py seed --sessions FILE --yes")
    return {"email": email, **cookies}


class Cookies:
    """Reads every Set-Cookie that passes a connection."""

    def __init__(self, http: Any) -> None:
        self.found: dict[str, str] = {}
        self._inner = http.data_received
        http.data_received = self.data_received

    def data_received(self, data: bytes) -> None:
        for name, value in re.findall(rb"(?i)set-cookie: (csrftoken|sessionid)=([^;\r]+)", data):
            self.found[name.decode()] = value.decode()
        self._inner(data)


class Portal(Adapter):  # type: ignore[misc]  # the bench's base class has no types
    """`--target portal`; `--accounts FILE` is what `manage.py seed --sessions FILE` wrote."""

    default_base = "http://127.0.0.1:8000"

    def __init__(self, base: str, opt: Any) -> None:
        super().__init__(base, opt)
        self.browsers: list[Browser] = []

    async def setup(self, users: int) -> None:
        accounts = read_accounts(Path(self.opt.accounts))
        for number in range(len(self.browsers), users):
            email = f"person{number}@seed.invalid"
            account = accounts[number] if number < len(accounts) else await sign_in(self, email)
            self.browsers.append(Browser(self, account))

    async def chat(self, user: int, prompt: str, sink: Any, timeout: float) -> None:
        browser, end = self.browsers[user], time.monotonic() + timeout
        if browser.after is not None and browser.after.done():
            browser.after.result()  # what went wrong after the turn before is a failure, too
        accepted = await browser.send(prompt, sink=sink, timeout=timeout)
        url = await browser.follow(accepted["poll_url"], sink=sink, timeout=max(1.0, end - time.monotonic()))
        # The answer is complete for its reader; the rest goes on beside, as in the page.
        browser.after = asyncio.create_task(browser.settle(url, before=browser.after, timeout=30))

    async def close(self) -> None:
        for browser in self.browsers:
            if browser.after is not None:
                browser.after.cancel()
            browser.http.close()
            browser.beside.close()


TARGETS = {"portal": Portal}
