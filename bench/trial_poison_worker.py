"""The worker of the poison trial: the product's own, except that a question with the word in it kills the process.

`python -m bench.trial_poison_worker plan|stream WORD`: while the prompt is built, or at the provider's first words.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

from portal.wsgi import application as ready

# isort: split
# After portal.wsgi: importing it makes Django ready, and these import models.
from chat import generation
from portal import worker
from providers import client

assert ready
_plan, _stream = generation.make_plan, client.stream


def fatal_plan(claimed: Any) -> Any:
    """Building the prompt of such a question takes the process along."""
    plan = _plan(claimed)
    if _is_poison(plan.request):
        os.kill(os.getpid(), signal.SIGKILL)
    return plan


async def fatal_stream(endpoint: Any, *, request: Any, **given: Any) -> AsyncIterator[Any]:
    """The first thing that comes back for such a question takes the process along."""
    async for event in _stream(endpoint, request=request, **given):
        if _is_poison(request):
            os.kill(os.getpid(), signal.SIGKILL)
        yield event


def _is_poison(request: Any) -> bool:
    return sys.argv[2] in str(request.messages[-1])


if __name__ == "__main__":
    if sys.argv[1] == "plan":
        generation.make_plan = fatal_plan
    else:
        client.stream = fatal_stream  # type: ignore[assignment]  # what is planted
    sys.exit(worker.main())
