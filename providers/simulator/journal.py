"""The bill: one line when a request is accepted, one when it ends. Keeps no prompt text unless told to.

A line is written at once (it outlives this process) and forced to disk by one thread, many lines at a time,
so that 400 streams never wait for a disk.
"""

import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Entry:
    """One request as the journal saw it. `ended` is "" while (or because) no end was written."""

    id: str
    seed: str
    model: str
    mode: str
    at: float
    prompt_tokens: int
    max_tokens: int | None
    messages_sha: str
    body: Any = None
    tokens: int = 0
    ended: str = ""
    ended_at: float = 0.0


class Journal:
    """Appends to `path`; without a path it accepts everything and keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file = -1
        self._dirty = threading.Event()
        self._closing = False
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._thread = threading.Thread(target=self._force, name="journal", daemon=True)
        self._thread.start()

    def accepted(self, entry: Entry) -> None:
        """Note that the bill for this request has begun."""
        line = {
            "event": "accepted", "id": entry.id, "seed": entry.seed, "model": entry.model, "mode": entry.mode,
            "at": entry.at, "prompt_tokens": entry.prompt_tokens, "max_tokens": entry.max_tokens,
            "messages_sha": entry.messages_sha,
        }  # fmt: skip
        if entry.body is not None:
            line["body"] = entry.body
        self._append(line)

    def ended(self, request_id: str, *, tokens: int, ended: str) -> None:
        """Note how many tokens left the server and how it ended: done, aborted (the client left) or fault."""
        self._append({"event": "ended", "id": request_id, "tokens": tokens, "ended": ended, "at": time.time()})

    def close(self) -> None:
        """Force the last lines to disk."""
        if self._file < 0:
            return
        self._closing = True
        self._dirty.set()
        self._thread.join(timeout=5)
        os.close(self._file)
        self._file = -1

    def _append(self, line: dict[str, Any]) -> None:
        if self._file < 0:
            return
        os.write(self._file, json.dumps(line, ensure_ascii=True).encode() + b"\n")
        self._dirty.set()

    def _force(self) -> None:
        while not self._closing:
            self._dirty.wait()
            self._dirty.clear()
            os.fsync(self._file)


def read(path: Path | str) -> list[Entry]:
    """All requests of a journal in the order of their acceptance; a last line cut short is left out."""
    found: dict[str, Entry] = {}
    for raw in Path(path).read_bytes().splitlines(keepends=True):
        if not raw.endswith(b"\n"):
            continue
        line: dict[str, Any] = json.loads(raw)
        if line.pop("event") == "accepted":
            found[line["id"]] = Entry(**line)
        elif line["id"] in found:
            entry = found[line["id"]]
            entry.tokens, entry.ended, entry.ended_at = line["tokens"], line["ended"], line["at"]
    return list(found.values())
