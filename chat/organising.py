"""What a person does with her list of conversations: rename, move to the bin and back, delete for good, look at an answer that came.

Money is not its business: what a conversation has used stays counted when the conversation is gone. Asks no provider.
"""

from __future__ import annotations

import datetime as dt
import logging
import re

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import clock, legal_holds
from accounts.models import User
from accounts.prepared import execute
from chat import messages, removal
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
    put_away(user, conversation=conversation)
    # No model is asked for the title of what was thrown away.
    _own(user, conversation).filter(title_state=_State.PENDING).update(title_state=_State.NONE, title_due_at=None)
    for generation in _active(conversation):
        messages.cancel(user, generation=generation)


def put_away(user: User, *, conversation: Conversation) -> None:
    """The first step of `delete`, one statement: out of everybody's reach."""
    _own(user, conversation).filter(deleted_at=None).update(deleted_at=clock.now())


def restore(user: User, *, conversation: Conversation) -> None:
    """Takes the conversation out of the bin, to where it stood in the list. Harmless when repeated."""
    _own(user, conversation).update(deleted_at=None)


def delete_for_good(user: User, *, conversation: Conversation) -> None:
    """Deletes a conversation that rests in the bin, with everything in it. There is no way back."""
    _refuse_if_held(user)
    row = _own(user, conversation).filter(deleted_at__isnull=False).first()
    if row is not None:
        _remove(row, now=clock.now())


def empty(user: User) -> int:
    """Deletes all that rests in the person's bin for good; returns how many."""
    _refuse_if_held(user)
    rows = Conversation.objects.filter(user=user, deleted_at__isnull=False, going=False)
    done = 0
    for pk in list(rows.values_list("pk", flat=True)):
        row = rows.filter(pk=pk).first()  # it may have been restored meanwhile
        if row is not None:
            _remove(row, now=clock.now())
            done += 1
    return done


def _remove(conversation: Conversation, *, now: dt.datetime) -> None:
    if not removal.stop(conversation, now=now):
        raise Refused(409, "busy", _("An answer is still being written in this conversation."))
    free = removal.quiet(removal.unheld(Conversation.objects.filter(deleted_at__isnull=False)))
    if removal.take(free, pk=conversation.pk, now=now):
        removal.finish(conversation)


def _refuse_if_held(user: User) -> None:
    if legal_holds.is_held(user):
        raise Refused(
            409,
            "held",
            _("A legal hold covers your conversations: nothing is removed for good until it ends. The bin keeps them."),
        )


def _active(conversation: Conversation) -> QuerySet[Generation]:
    return Generation.objects.filter(conversation=conversation, state__in=ACTIVE)


def _own(user: User, conversation: Conversation) -> QuerySet[Conversation]:
    return Conversation.objects.filter(user=user, pk=conversation.pk, going=False)
