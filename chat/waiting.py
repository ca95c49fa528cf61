"""Questions that wait for allowance: running answers hold the rest of it. Each end of an answer may let the next one in.

They have no hold. Whoever has waited for PATIENCE_S is refused; whose limit is really used up meanwhile, at once.
"""

from __future__ import annotations

import datetime as dt
import logging

from django.db import transaction
from django.db.models import Q

from accounts.prepared import execute, fetch
from chat import bell, endings, holds, notify, placing, story
from chat.models import Generation
from providers.failures import Kind
from usage import call_lines, quotas

log = logging.getLogger(__name__)
PATIENCE_S = 60
MOST = 200
State = Generation.State
_SOME = "SELECT 1 FROM chat_generation WHERE state = 'waiting' LIMIT 1"
_ADMIT = "UPDATE chat_generation SET state = 'queued', revision = revision + 1 WHERE id = %s AND state = 'waiting'"


def admit(*, now: dt.datetime) -> int:
    """Lets in who may go on, first come first served within each limit, and refuses who has waited too long; how many went on."""
    if not fetch(_SOME):
        return 0
    rows = Generation.objects.select_related(*endings.LOADED, "message__parent").filter(state=State.WAITING)
    full: set[tuple[int, object]] = set()
    return sum(_one(generation, full=full, now=now) for generation in rows.order_by("pk")[:MOST])


def _one(generation: Generation, *, full: set[tuple[int, object]], now: dt.datetime) -> bool:
    """`full` holds the limits at which somebody who came earlier waits: nobody goes past her."""
    if now - generation.created_at > dt.timedelta(seconds=PATIENCE_S):
        _refuse(generation, kind=Kind.LIMIT_HELD, now=now)
        return False
    model = generation.model
    if model is None:
        _refuse(generation, kind=Kind.NO_MODEL, now=now)
        return False
    under = quotas.look(person=generation.user.uuid, key=generation.key, model=model.uuid, now=now)
    if full & {(limit.id, limit.subject) for limit in under.limits}:
        return False
    try:
        return _go_on(generation, under=under, now=now)
    except quotas.LimitReached as reached:
        if reached.only_held:
            full.add((reached.limit.id, reached.limit.subject))
        else:
            _refuse(generation, kind=Kind.LIMIT_REACHED, now=now)
    return False


def _go_on(generation: Generation, *, under: quotas.Terms, now: dt.datetime) -> bool:
    """With a hold into the queue; False when somebody else was first."""
    assert generation.model is not None
    size = holds.size(
        generation.message, user_language=generation.user.language, user_zone=generation.user.time_zone,
        start_offset=generation.start_offset, model=generation.model,
        mode=str(generation.request.get("mode") or ""), standing=under.standing, now=now,
    )  # fmt: skip
    hold = holds.hold_for(generation, size=size, model=generation.model)
    with transaction.atomic():
        if not execute(_ADMIT, generation.pk):
            return False
        call_lines.write([story.line(generation, call_lines.Kind.WAITED, at=now)])
        placing.tell_most(generation, hold=quotas.reserve(hold, under=under, now=now))
        notify.readers()
        bell.ring_on_commit()
    return True


def _refuse(generation: Generation, *, kind: Kind, now: dt.datetime) -> None:
    log.info("answer %s: %s", generation.uuid, kind.value)
    endings.abandon(generation, state=State.FAILED, kind=kind.value, guard=Q(state=State.WAITING), now=now)
