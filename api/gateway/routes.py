"""The table of addresses under /v1/: which there are, what they take, and what of an answer is counted. Data only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from api.gateway.envelope import Refusal

Form = Literal["json", "multipart"]
Shape = Literal["chat", "completion", "response", "none"]


@dataclass(frozen=True, slots=True)
class Route:
    """A call that is passed on. `form`: what it takes; `shape`: how its answer is written, for whoever counts it."""

    name: str
    path: str
    form: Form = "json"
    shape: Shape = "none"
    streams: bool = False
    # An answer that is neither JSON nor events: it passes as it comes.
    raw: bool = False


CALLS: dict[str, Route] = {
    route.path: route
    for route in (
        Route("chat", "/chat/completions", shape="chat", streams=True),
        Route("completion", "/completions", shape="completion", streams=True),
        Route("response", "/responses", shape="response", streams=True),
        Route("embedding", "/embeddings"),
        Route("transcription", "/audio/transcriptions", form="multipart"),
        Route("speech", "/audio/speech", raw=True),
    )
}
MODELS = "/models"
_ONE_MODEL = re.compile(r"/models/(?P<name>.{1,300})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the models: at all of them, or at the one of this name."""

    name: str = ""


def find(method: str, path: str) -> Route | Look:
    """What an address below /v1 stands for. Raises Refusal: 404 for one that is not there, 405 for another method."""
    call = CALLS.get(path)
    one = _ONE_MODEL.fullmatch(path)
    if call is None and path != MODELS and one is None:
        raise Refusal(404, "unknown_url", f"Unknown address: {method} /v1{path[:200]}. See docs/gateway.md.")
    allowed = "GET" if call is None else "POST"
    if method != allowed:
        text = f"This address takes {allowed} only."
        raise Refusal(405, "method_not_allowed", text, headers={"allow": allowed})
    if call is not None:
        return call
    return Look(one["name"] if one else "")
