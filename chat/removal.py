"""Removes conversations for good, piece by piece: each step is one short transaction, so that nobody waits for a long chat.

First it is out of everybody's reach (`going`), then its messages go from the ends of the tree, then the row. Whoever dies in between
leaves a row that the next run takes up. What it used stays counted. Who may, and when, is decided by the callers.
"""

from __future__ import annotations

import datetime as dt
import time

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import legal_holds
from accounts.prepared import execute, marks
from chat import endings
from chat.models import ACTIVE, Conversation, Generation, Message

BATCH = 60
"""Messages that go in one transaction."""
PAUSE_S = 0.01


def unheld(rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Those of people whom no legal hold covers."""
    return rows.exclude(user__in=legal_holds.held())


def quiet(rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Those in which nothing is being written or waits."""
    return rows.exclude(Exists(Generation.objects.filter(conversation=OuterRef("pk"), state__in=ACTIVE)))


def take(rows: QuerySet[Conversation], *, pk: int, now: dt.datetime) -> bool:
    """Puts one conversation out of reach if it is still among `rows`; one statement: a question sent meanwhile wins or is refused."""
    return bool(
        rows.filter(pk=pk, going=False).update(
            going=True, deleted_at=now, leaf=None, title_state="none", title_due_at=None
        )
    )


def stop(conversation: Conversation, *, now: dt.datetime) -> bool:
    """Ends what is still written there: the answer is lost, its hold closes and what was used is counted. True when all is quiet."""
    active = Generation.objects.filter(conversation=conversation, state__in=ACTIVE)
    for _attempt in range(3):  # it may go to a worker, or back to the queue, between the two looks
        for generation in active.select_related(*endings.LOADED):
            endings.abandon(generation, state=Generation.State.CANCELLED, kind="", guard=Q(state__in=ACTIVE), now=now)
    return not active.exists()


def finish(conversation: Conversation, *, pause: float = 0) -> None:
    """Removes what is left of one that is going. May run any number of times, in several processes."""
    while _some(conversation.pk):
        if pause and not connection.in_atomic_block:
            time.sleep(pause)
    with transaction.atomic():
        Conversation.objects.filter(pk=conversation.pk, going=True).delete()


def finish_all(*, pause: float = PAUSE_S) -> int:
    """What an earlier run has left half removed; how many."""
    done = 0
    for conversation in Conversation.objects.filter(going=True).order_by("pk"):
        finish(conversation, pause=pause)
        done += 1
    return done


def _some(conversation_id: int) -> bool:
    """The deepest messages go first: then nobody's parent goes before its children."""
    rows = Message.objects.filter(conversation=conversation_id).order_by("-depth", "-pk")
    ids = list(rows.values_list("pk", flat=True)[:BATCH])
    if not ids:
        return False
    places = marks(ids)
    with transaction.atomic():
        pieces = f"SELECT id FROM chat_generation WHERE message_id IN ({places})"  # noqa: S608  # placeholders only
        execute(f"DELETE FROM chat_delta WHERE generation_id IN ({pieces})", *ids)  # noqa: S608
        execute(f"DELETE FROM chat_generation WHERE message_id IN ({places})", *ids)  # noqa: S608
        execute(f"DELETE FROM chat_message WHERE id IN ({places})", *ids)  # noqa: S608
    return True


def count(rows: QuerySet[Conversation]) -> int:
    """How many messages these conversations have."""
    return Message.objects.filter(conversation__in=rows).count()
