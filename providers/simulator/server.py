"""The simulator's routes: models, chat completions and the others, health, figures. Decides what is answered; reads no sockets."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.simulator import chunks, demo, others
from providers.simulator.asks import Ask, BadAskError, ask_from
from providers.simulator.connection import Connection, Reply, Request
from providers.simulator.faults import FIELDS, Step, Telling
from providers.simulator.journal import Entry, Journal
from providers.simulator.modes import MODES, PREFIX
from providers.simulator.process import Simulator, running
from providers.simulator.refusals import REFUSALS, Refusal, refusal_bytes
from providers.simulator.replies import FAULTY, keeps_connection, steps_for

__all__ = ["Server", "Simulator", "running", "serve"]

# Not for chat: whoever lists the models must leave these switched off.
OTHER_MODELS = ("text-embedding-sim", "whisper-sim", "tts-sim", "image-sim", "moderation-sim")
MODELS = (demo.MODEL, *OTHER_MODELS, *(PREFIX + mode for mode in MODES))
CREATED = 1_700_000_000
MOST_REMEMBERED = 20_000
ONCE = {"close_once": "close_before_headers"}


@dataclass(slots=True)
class Figures:
    """What /stats tells."""

    requests: int = 0
    active: int = 0
    peak: int = 0
    aborted: int = 0
    tokens: int = 0


class App:
    """Answers requests; keeps the figures, the journal and which seeds were already refused once."""

    def __init__(self, *, journal: Journal, key: str = "", keep_prompts: bool = False) -> None:
        self.figures = Figures()
        self._journal = journal
        self._key = key
        self._keep_prompts = keep_prompts
        self._refused: OrderedDict[tuple[str, str], int] = OrderedDict()

    def answer(self, request: Request) -> Reply:
        """Decide on one request."""
        if (request.method, request.path) == ("GET", "/health"):
            return _json({"status": "ok"})
        if (request.method, request.path) == ("GET", "/stats"):
            return _json({name: getattr(self.figures, name) for name in Figures.__slots__})
        if not request.path.startswith("/v1/"):
            return _refuse(Refusal(404, "invalid_request_error", "unknown_url"), note=f"Unknown path {request.path}")
        if self._key and request.fields.get("authorization") != f"Bearer {self._key}":
            return _refuse(REFUSALS["e401"], note="Incorrect API key provided")
        if (request.method, request.path) == ("GET", "/v1/models"):
            return self._models(request)
        if request.method == "POST" and request.path in ("/v1/chat/completions", *others.PATHS):
            return self._chat(request)
        return _refuse(Refusal(404, "invalid_request_error", "unknown_url"), note=f"Unknown path {request.path}")

    def _models(self, request: Request) -> Reply:
        refusal = REFUSALS.get(request.fields.get("x-sim-mode", ""))
        if refusal is not None:
            return _refuse(refusal)
        data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "simulator"} for name in MODELS]
        return _json({"object": "list", "data": data})

    def _chat(self, request: Request) -> Reply:
        try:
            ask = self._ask(request)
        except BadAskError as error:
            return _refuse(REFUSALS["e400"], note=str(error))
        if ask.model not in MODELS:
            return _refuse(REFUSALS["e404"], note=f"The model {ask.model!r} does not exist")
        self.figures.requests += 1
        number = self.figures.requests
        request_id = f"{time.time_ns():x}-{number}"
        self._journal.accepted(self._entry(ask, request_id))
        reply = self._told(ask, request_id, path=request.path)
        reply.bills_on = ask.mode == "bills_on"
        reply.on_end = self._watch(request_id, faulty=ask.mode in FAULTY or ask.mode in REFUSALS, inner=reply.on_end)
        return reply

    def _ask(self, request: Request) -> Ask:
        mode = request.fields.get("x-sim-mode", "")
        if request.path in others.PATHS:
            return others.ask_of(request.path, request.body, header_mode=mode)
        return ask_from(request.body, header_mode=mode)

    def _told(self, ask: Ask, request_id: str, *, path: str) -> Reply:
        refusal = REFUSALS.get(ask.mode)
        if refusal is not None and self._still_refuses(ask, times=refusal.times):
            return _refuse(refusal)
        if ask.mode in ONCE and self._still_refuses(ask, times=1):
            return Reply(iter([Step(0, b"", 0, "close")]))
        if path in others.PATHS:
            return Reply(others.steps(path, ask, request_id=request_id))
        fields: dict[str, Any] = {"id": f"chatcmpl-{request_id}", "model": ask.model, "created": int(time.time())}
        telling = Telling(ask, chunks.Shape(**(fields | FIELDS.get(ask.mode, {}))))
        return Reply(steps_for(telling), keep=keeps_connection(telling))

    def _still_refuses(self, ask: Ask, *, times: int) -> bool:
        """Count this refusal of mode and seed; 0 refuses always. The oldest seeds are forgotten."""
        if times == 0:
            return True
        name = (ask.mode, ask.seed)
        count = self._refused.pop(name, 0)
        self._refused[name] = count + 1
        if len(self._refused) > MOST_REMEMBERED:
            self._refused.popitem(last=False)
        return count < times

    def _entry(self, ask: Ask, request_id: str) -> Entry:
        return Entry(
            id=request_id,
            seed=ask.seed,
            model=ask.model,
            mode=ask.mode,
            at=time.time(),
            prompt_tokens=ask.prompt_tokens,
            max_tokens=ask.max_tokens,
            messages_sha=ask.messages_sha,
            body=ask.body if self._keep_prompts else None,
        )

    def _watch(self, request_id: str, *, faulty: bool, inner: Callable[[str, int], None]) -> Callable[[str, int], None]:
        self.figures.active += 1
        self.figures.peak = max(self.figures.peak, self.figures.active)

        def ended(how: str, tokens: int) -> None:
            self.figures.active -= 1
            self.figures.aborted += how == "aborted"
            self.figures.tokens += tokens
            self._journal.ended(request_id, tokens=tokens, ended="fault" if faulty and how == "done" else how)
            inner(how, tokens)

        return ended


def _json(value: object) -> Reply:
    body = chunks.dumps(value)
    start = chunks.head(200, fields={"Content-Type": "application/json"}, length=len(body), framing="length")
    return Reply(iter([Step(0, start + body, 0, "end")]))


def _refuse(refusal: Refusal, *, note: str = "The simulator refuses, as it was told") -> Reply:
    return Reply(iter([Step(0, refusal_bytes(refusal, note=note), 0, "end")]))


@dataclass(slots=True)
class Server:
    """A listening simulator inside this process."""

    port: int
    app: App
    _server: asyncio.Server
    _crowd: set[Connection]
    _journal: Journal

    async def close(self) -> None:
        """Stop listening, drop every connection, force the journal to disk."""
        self._server.close()
        for connection in list(self._crowd):
            connection.close()
        await asyncio.sleep(0)
        self._journal.close()


async def serve(
    *, host: str = "127.0.0.1", port: int = 0, journal: Path | None = None, key: str = "", keep_prompts: bool = False
) -> Server:
    """Listen on the running loop; port 0 takes a free one. Raises OSError when the port is taken."""
    book = Journal(journal)
    app = App(journal=book, key=key, keep_prompts=keep_prompts)
    crowd: set[Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(app.answer, crowd), host, port, backlog=1024
    )
    return Server(server.sockets[0].getsockname()[1], app, server, crowd, book)
