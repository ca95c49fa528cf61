"""A person's conversations as a part that is counted, exported and erased. Decides nothing; see accounts.personal."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import clock, personal
from accounts.models import User
from accounts.taking_along import CUT
from chat import removal
from chat.models import Conversation, Message

SLUG = "conversations"
CHUNK = 50


def register() -> None:
    """The part of this room."""
    personal.register(personal.Part(SLUG, _("Conversations with every message"), _count, _erase, texts=texts))


def texts(person: User) -> Iterator[tuple[str, str]]:
    """Each conversation as JSON (with every branch) and as Markdown, in pieces where it is long."""
    for conversation in _all(person).order_by("pk").iterator(chunk_size=CHUNK):
        yield from files_of(conversation, Message.objects.filter(conversation=conversation))


def files_of(conversation: Conversation, messages: QuerySet[Message]) -> Iterator[tuple[str, str]]:
    """These messages of a conversation as files, in the order in which they were written."""
    number, size = 1, 0
    told: list[dict[str, object]] = []
    for message in messages.order_by("pk").select_related("parent").iterator(chunk_size=CHUNK):
        weight = len(message.text) + len(message.reasoning) + 400
        if told and size + weight > CUT:
            yield from _piece(conversation, told, number=number)
            number, size, told = number + 1, 0, []
        told.append(_told(message))
        size += weight
    yield from _piece(conversation, told, number=number)


def _all(person: User) -> QuerySet[Conversation]:
    return Conversation.objects.filter(user=person)


def _count(person: User) -> int:
    return _all(person).count() + Message.objects.filter(conversation__user=person).count()


def _erase(person: User) -> int:
    """One conversation at a time, with its messages; how many rows went."""
    conversation = _all(person).order_by("pk").first()
    if conversation is None:
        return 0
    now = clock.now()
    if not removal.stop(conversation, now=now):
        return 0  # still being written by somebody who cannot be stopped yet: counted, and erased the next time
    rows = removal.count(_all(person).filter(pk=conversation.pk)) + 1
    removal.take(removal.unheld(_all(person)), pk=conversation.pk, now=now)
    conversation = _all(person).filter(pk=conversation.pk, going=True).first()
    if conversation is None:
        return 0  # a hold came meanwhile
    removal.finish(conversation)
    return rows


def _told(message: Message) -> dict[str, object]:
    return {
        "message": message.uuid,
        "after": message.parent.uuid if message.parent else None,
        "role": message.role,
        "at": message.created_at,
        "text": message.text,
        "reasoning": message.reasoning,
    }


def _piece(conversation: Conversation, told: list[dict[str, object]], *, number: int) -> Iterator[tuple[str, str]]:
    name = f"conversations/{conversation.created_at:%Y-%m-%d}-{conversation.uuid}-{number}"
    head = {
        "conversation": conversation.uuid,
        "title": conversation.title,
        "begun_at": conversation.created_at,
        "last_at": conversation.updated_at,
        "deleted_at": conversation.deleted_at,
        "messages": told,
    }
    yield f"{name}.json", json.dumps(head, indent=1, default=str, ensure_ascii=False) + "\n"
    lines = [f"# {conversation.title or conversation.uuid}", ""]
    for each in told:
        lines += [f"## {each['role']}, {each['at']:%Y-%m-%d %H:%M} UTC", "", str(each["text"]), ""]
    yield f"{name}.md", "\n".join(lines)
