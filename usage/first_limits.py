"""What a fresh portal begins with, so that nobody can spend everything on the first day. Made once; changed like any limit."""

from __future__ import annotations

from usage import rules
from usage.limit_models import Period, Quota, Scope, Unit

FIRST = (
    rules.Draft(Scope.ORGANISATION, Unit.REQUESTS, Period.DAY, 1_000),
    rules.Draft(Scope.EACH, Unit.REQUESTS, Period.DAY, 200),
)


def make() -> list[Quota]:
    """The first limits; nothing where anybody has ever made or removed one."""
    return [] if Quota.objects.exists() else [rules.make(draft) for draft in FIRST]
