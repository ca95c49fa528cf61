"""The ids that every line of the log carries while something is being done: the request, the person, the answer. Ids only, never a name.

They belong to the thread or the task that binds them; whoever hands work to another thread hands them along.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any
from uuid import UUID

from structlog.contextvars import bind_contextvars, clear_contextvars


def begin(*, request_id: str = "", generation: UUID | None = None, person: UUID | None = None) -> None:
    """Forgets what was bound here and binds these."""
    clear_contextvars()
    known = {"request_id": request_id, "generation": generation, "person": person}
    bind_contextvars(**{name: str(value) for name, value in known.items() if value})


def of_person(person: UUID) -> None:
    """Who is asking, once that is known."""
    bind_contextvars(person=str(person))


def end() -> None:
    """Forgets all of them: the thread goes on to somebody else."""
    clear_contextvars()


def along(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work with the ids that are bound here, for another thread."""
    context = contextvars.copy_context()

    def carried(*given: Any) -> Any:
        return context.run(work, *given)

    return carried
