"""A whole installation for the gateway's tests, its people and keys, and what it has written down of their calls."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai

from tests.chaos.scene import QUICK
from tests.processes import PASSWORD, Caller, Person, Reply, Site

SETTINGS = QUICK | {
    "API_PER_MINUTE": "100000",
    "API_KEY_PER_MINUTE": "100000",
    "API_DOOR_PER_MINUTE": "100000",
    "SIGN_IN_TRIES": "1000",
    "FIRST_BYTE_S": "2",
    "GAP_S": "1",
    "DEADLINE_S": "6",
    "CIRCUIT_PAUSE_S": "0.1",
}
_KEY = """
from accounts import api_keys
from accounts.models import User
user = User.objects.get(uuid=given["person"])
answer = api_keys.make(user, name="editor", scopes=given["scopes"], models=given["models"], allowed_ips=given["ips"])[1]
"""
_ROWS = """
from usage import proof
from usage.models import Invocation, LedgerEntry, Reservation
calls = Invocation.every.filter(person=given) if given else Invocation.every.all()
names = ("request_id", "outcome", "error_kind", "input_tokens", "output_tokens", "estimated", "source", "model_name",
    "provider_name", "attempts", "key", "team_name", "person_name", "cost_micro")
entries = LedgerEntry.objects.filter(person=given) if given else LedgerEntry.objects.all()
holds = Reservation.objects.filter(person=given) if given else Reservation.objects.all()
answer = {
    "calls": list(calls.order_by("pk").values(*names)),
    "entries": list(entries.order_by("pk").values("request_id", "kind", "input_tokens", "output_tokens", "estimated")),
    "held": holds.filter(state="held").count(),
    "holds": list(holds.order_by("pk").values("request_id", "state", "input_tokens", "output_tokens")),
    "drifts": [str(drift) for drift in proof.drifts()],
}
"""


class Gateway:
    """One site; its people are colleagues with a key each."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._clients: list[openai.OpenAI] = []

    @property
    def base(self) -> str:
        return f"{self.site.url()}/v1"

    def person(self) -> tuple[Person, str]:
        """Somebody new, and the key of hers."""
        person = self.site.people(1)[0]
        return person, self.key(person)

    def key(
        self, person: Person, *, scopes: tuple[str, ...] = ("chat", "models"), models: tuple[str, ...] = (),
        ips: tuple[str, ...] = (),
    ) -> str:  # fmt: skip
        given = {"person": person.uuid, "scopes": scopes, "models": models, "ips": ips}
        made: str = self.site.django(_KEY, given)
        return made

    def token(self, person: Person) -> str:
        """An access token, as a program gets one."""
        body = {"email": person.email, "password": PASSWORD}
        reply = Caller(self.site.url()).post("/api/v1/auth/token/", body)
        assert reply.status == 200, reply.text
        access: str = reply.json()["access"]
        return access

    def sdk(self, key: str, **more: Any) -> openai.OpenAI:
        """OpenAI's own client, closed with the site."""
        self._clients.append(openai.OpenAI(api_key=key, base_url=self.base, **({"max_retries": 0} | more)))
        return self._clients[-1]

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", headers: dict[str, str] | None = None
    ) -> Reply:
        """A plain request to an address under /v1, with nothing that a browser or an SDK adds."""
        given = {"Authorization": f"Bearer {key}"} if key else {}
        return Caller(self.site.url()).call(method, f"/v1{path}", body=body, headers=given | (headers or {}))

    def rows(self, person: Person | None = None, *, calls: int | None = None, within: float = 5) -> dict[str, Any]:
        """What is written down; waits until so many calls are, and none is held."""
        until = time.monotonic() + within
        while True:
            found: dict[str, Any] = self.site.django(_ROWS, person.uuid if person else None)
            if calls is None or (len(found["calls"]) >= calls and not found["held"]) or time.monotonic() > until:
                return found
            time.sleep(0.2)

    def asked(self, seed: str) -> list[dict[str, Any]]:
        """What the provider was asked with this seed, each with its end if it has one."""
        lines = self.site.bill()
        ends = {line["id"]: line for line in lines if line["event"] == "ended"}
        return [line | {"end": ends.get(line["id"])} for line in lines if line.get("seed") == seed]


def said(text: str, **more: Any) -> dict[str, Any]:
    """A question as a body."""
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **more}


def events(body: bytes) -> list[Any]:
    """The data of each event, as JSON where it is some; whatever the line ends, and over however many lines."""
    plain = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    blocks = ([line[5:] for line in block.split(b"\n") if line.startswith(b"data:")] for block in plain.split(b"\n\n"))
    found = [b"\n".join(lines).strip() for lines in blocks if lines]
    return [part.decode() if part == b"[DONE]" else json.loads(part) for part in found]


def header(reply: Reply, name: str) -> str:
    """A header of an answer, however it is spelt; "" when it is missing."""
    return next((value for found, value in reply.headers.items() if found.lower() == name), "")


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Gateway]:
    """Simulator and web, no worker; ends with the block."""
    site = Site(folder, settings=SETTINGS | settings, workers=0)
    gateway = Gateway(site)
    try:
        site.start()
        yield gateway
    finally:
        gateway.close()
        site.stop()


class Half:
    """A caller that reads as much of a streamed answer as it likes, and leaves when it likes."""

    def __init__(self, gateway: Gateway, body: dict[str, Any], *, key: str) -> None:
        port = gateway.site.parts["web0"].port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.connection.request("POST", "/v1/chat/completions", body=json.dumps(body), headers=headers)
        self.answer = self.connection.getresponse()

    def events(self, count: int) -> list[bytes]:
        """The next so many lines of data."""
        found: list[bytes] = []
        while len(found) < count:
            line = self.answer.readline()
            if not line:
                break
            if line.startswith(b"data: "):
                found.append(line[6:].strip())
        return found

    def leave(self) -> None:
        self.answer.close()
        self.connection.close()
