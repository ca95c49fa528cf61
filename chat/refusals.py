"""A verb that was not carried out, as pages and programs are told, and counted for the desk. Decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.db import Error
from django.utils.translation import gettext as _

from accounts import clock
from accounts.models import Membership, User
from chat.doors import PAGE, Door
from usage import rollups

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Refused(Exception):
    """A verb that was not carried out: nothing was written. `status` is the HTTP status, `code` is stable."""

    status: int
    code: str
    message: str
    extra: dict[str, Any] = field(default_factory=dict)
    # Of a 429: so many seconds until it is worth asking again; None: nobody can say.
    retry_after: int | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def moved_on() -> Refused:
    """The conversation is not where the sender saw it."""
    return Refused(
        409,
        "moved_on",
        _("This conversation was continued elsewhere. Here is the newest state; your text is still in the box."),
    )


def counted(verb: Callable[Concatenate[User, P], T]) -> Callable[Concatenate[User, P], T]:
    """The verb; what it refuses is counted, after its transaction has come to nothing."""

    @wraps(verb)
    def carried_out(user: User, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(user, *args, **kwargs)
        except Refused as refused:
            door = kwargs.get("door", PAGE)
            count(user, reason=refused.code, source=door.source if isinstance(door, Door) else PAGE.source)
            raise

    return cast("Callable[Concatenate[User, P], T]", carried_out)


def count(user: User, *, reason: str, source: str) -> None:
    """One refusal for the desk. A database that is away does not turn a refusal into another one."""
    try:
        team = Membership.objects.filter(user=user, is_primary=True).values_list("team__uuid", flat=True).first()
        rollups.refused(team=team, source=source, reason=reason, now=clock.now())
    except Error as error:
        log.warning("a refusal was not counted: %s", type(error).__name__)
