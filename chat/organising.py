"""What a person does with her list of conversations: rename, move to the bin and back, delete for good, look at an answer that came.

Money is not its business: what a conversation has used stays counted when the conversation is gone. Asks no provider.
"""

from __future__ import annotations

import datetime as dt
import logging
import re

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts import clock
from accounts.models import User
from accounts.prepared import execute
from chat import endings, messages
from chat.messages import Refused
from chat.models import ACTIVE, Conversation, Generation

log = logging.getLogger(__name__)
MAX_TITLE = 200
_SEE = """
UPDATE chat_conversation SET seen_at = finished_at WHERE id = %s AND user_id = %s AND (seen_at IS NULL OR seen_at < finished_at)
"""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_State = Conversation.TitleState


def rename(user: User, *, conversation: Conversation, title: str) -> str:
    """Gives the conversation a title that no model changes any more; returns it as it is stored (one line)."""
    if _UNSTORABLE.search(title):
        raise Refused(400, "bad_text", _("The text has characters that can't be stored."))
    words = " ".join(title.split())
    if not words:
        raise Refused(422, "empty", _("Write a title first."))
    if len(words) > MAX_TITLE:
        raise Refused(422, "too_long", _("A title has at most %d characters.") % MAX_TITLE)
    _own(user, conversation).update(title=words, title_state=_State.MANUAL, title_due_at=None)
    conversation.title = words
    return words


def see(user: User, *, conversation: Conversation) -> None:
    """The person has looked: the mark of an answer that came meanwhile goes. Writes only if there is one."""
    if conversation.unseen:
        execute(_SEE, conversation.pk, user.pk)
        conversation.seen_at = conversation.finished_at


def delete(user: User, *, conversation: Conversation) -> None:
    """Moves the conversation to the bin and stops what is being written in it. Harmless when repeated."""
    # First out of reach, so that no new question gets in; then stopped. One transaction for both could deadlock with a finish.
    _own(user, conversation).filter(deleted_at=None).update(deleted_at=clock.now())
    # No model is asked for the title of what was thrown away.
    _own(user, conversation).filter(title_state=_State.PENDING).update(title_state=_State.NONE, title_due_at=None)
    for generation in _active(conversation):
        messages.cancel(user, generation=generation)


def restore(user: User, *, conversation: Conversation) -> None:
    """Takes the conversation out of the bin, to where it stood in the list. Harmless when repeated."""
    _own(user, conversation).update(deleted_at=None)


def delete_for_good(user: User, *, conversation: Conversation) -> None:
    """Deletes a conversation that rests in the bin, with everything in it. There is no way back."""
    row = _own(user, conversation).filter(deleted_at__isnull=False).first()
    if row is not None:
        _remove(row, now=clock.now())


def empty(user: User) -> int:
    """Deletes all that rests in the person's bin for good; returns how many."""
    return _remove_all(Conversation.objects.filter(user=user, deleted_at__isnull=False), now=clock.now())


def purge(*, now: dt.datetime) -> int:
    """Deletes for good what has rested in the bin for BIN_DAYS; returns how many. May run any number of times."""
    over = now - dt.timedelta(days=settings.BIN_DAYS)
    return _remove_all(Conversation.objects.filter(deleted_at__lte=over), now=now)


def _remove_all(rows: QuerySet[Conversation], *, now: dt.datetime) -> int:
    ids = list(rows.values_list("pk", flat=True))
    done = 0
    for pk in ids:  # a transaction each: nobody waits for a thousand of them
        row = rows.filter(pk=pk).first()  # it may have been restored meanwhile
        if row is not None:
            _remove(row, now=now)
            done += 1
    return done


def _remove(conversation: Conversation, *, now: dt.datetime) -> None:
    # A worker that still writes here loses the answer; its hold closes and what was used is counted.
    for _attempt in range(3):  # it may go to a worker, or back to the queue, between the two looks
        for generation in _active(conversation).select_related(*endings.LOADED):
            endings.abandon(generation, state=Generation.State.CANCELLED, kind="", guard=Q(state__in=ACTIVE), now=now)
    if _active(conversation).exists():
        raise Refused(409, "busy", _("An answer is still being written in this conversation."))
    conversation.delete()


def _active(conversation: Conversation) -> QuerySet[Generation]:
    return Generation.objects.filter(conversation=conversation, state__in=ACTIVE)


def _own(user: User, conversation: Conversation) -> QuerySet[Conversation]:
    return Conversation.objects.filter(user=user, pk=conversation.pk)
