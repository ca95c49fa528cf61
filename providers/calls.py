"""Short calls to a provider from code without an event loop: commands, the admin's buttons. Each in its own thread.

The client is imported only here and only when called, so that a web process stays without openai until somebody tests.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from providers.endpoints import Endpoint, ModelInfo, ProbeResult
from providers.failures import Failure, Kind

T = TypeVar("T")
LIMIT_S = 10.0


def list_models(endpoint: Endpoint, *, limit_s: float = LIMIT_S) -> list[ModelInfo]:
    """The provider's models. Raises Failure, at the latest after `limit_s` seconds."""
    from providers import client

    limits = client.Limits(connect_s=min(5.0, limit_s), first_byte_s=limit_s)
    return _run(lambda: client.list_models(endpoint, limits=limits), limit_s=limit_s)


def probe(
    endpoint: Endpoint, *, model: str, body: Mapping[str, Any] | None = None, limit_s: float = LIMIT_S
) -> ProbeResult:
    """How the provider wants to be spoken to. Raises Failure only when even the attempt took too long."""
    from providers import client_probe

    return _run(
        lambda: client_probe.probe(endpoint, model=model, body=body or {}, total_s=limit_s * 0.9), limit_s=limit_s
    )


def _run(call: Callable[[], Coroutine[Any, Any, T]], *, limit_s: float) -> T:
    from providers import client

    results: list[T] = []
    failures: list[Failure] = []

    async def work() -> None:
        try:
            async with asyncio.timeout(limit_s):
                results.append(await call())
        except Failure as failure:
            failures.append(failure)
        except TimeoutError:
            failures.append(Failure(Kind.FIRST_BYTE_TIMEOUT, detail=f"no answer within {limit_s:.0f} s"))
        finally:
            await client.close_all()

    thread = threading.Thread(target=asyncio.run, args=(work(),), name="provider call", daemon=True)
    thread.start()
    thread.join(limit_s + 2)
    if failures:
        raise failures[0]
    if not results:
        raise Failure(Kind.INTERNAL, detail="the call ended without a result")
    return results[0]
