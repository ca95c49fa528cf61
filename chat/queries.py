"""Reads of the conversation. Each fetches and authorises in one call: strangers get the same 404 as an unknown id. Writes nothing."""

from __future__ import annotations

import datetime as dt
import uuid as uuid_module
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import connection
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import Http404

from accounts.models import User
from accounts.prepared import Prepared, fetch
from chat import prompts, rendering
from chat.models import ACTIVE, Conversation, Delta, Generation, Message

# A message's text is read for a prompt while it can matter: this many messages, and this many characters a token of window.
PROMPT_MESSAGES = 2_000
CHARS_PER_TOKEN = 6
# So many are read at a time.
CHUNK = 50


T = TypeVar("T", bound=Model)


_message = Prepared(
    lambda user, uuid: Message.objects.select_related("conversation__model", "conversation__leaf", "parent").filter(
        conversation__user=user, conversation__deleted_at=None, uuid=uuid
    ),
    -1,
    uuid_module.UUID(int=0xABCDEF),
)
_latest = Prepared(
    lambda message: Generation.objects.select_related("model", "provider").filter(message=message).order_by("-id")[:1],
    -1,
)
_last = Prepared(lambda conversation: Generation.objects.filter(conversation=conversation).order_by("-pk")[:1], -1)


@dataclass(frozen=True)
class Listing:
    """A page of the side list; `next_cursor` is empty at its end."""

    conversations: Sequence[Conversation]
    next_cursor: str


@dataclass(frozen=True)
class Window:
    """Part of a conversation's path, oldest first. Answers carry `.generation` and `.blocks`."""

    messages: list[Message]
    has_older: bool


def _uuid(value: object) -> uuid_module.UUID:
    try:
        return value if isinstance(value, uuid_module.UUID) else uuid_module.UUID(str(value))
    except ValueError:
        raise Http404 from None


def conversation_for(user: User, uuid: object) -> Conversation:
    """The person's own conversation, with its leaf and model. What rests in the bin is not found by anything but `binned_for`."""
    rows = Conversation.objects.select_related("leaf", "model")
    return _only(rows.filter(user=user, uuid=_uuid(uuid), deleted_at=None))


def binned_for(user: User, uuid: object) -> Conversation:
    """A conversation in the person's own bin."""
    rows = Conversation.objects.filter(user=user, uuid=_uuid(uuid), deleted_at__isnull=False, going=False)
    return _only(rows)


def mine_or_binned(user: User, uuid: object) -> Conversation:
    """The person's own conversation, wherever it is."""
    return _only(Conversation.objects.select_related("leaf", "model").filter(user=user, uuid=_uuid(uuid)))


def message_for(user: User, uuid: object) -> Message:
    """A message of the person's own conversation."""
    row: Message | None = _message.first(user.pk, _uuid(uuid))
    if row is None:
        raise Http404
    return row


def generation_for(user: User, uuid: object) -> Generation:
    """A generation of the person's own."""
    rows = Generation.objects.select_related("message", "conversation", "model", "provider")
    return _only(rows.filter(user=user, conversation__deleted_at=None, uuid=_uuid(uuid)))


def _only(rows: QuerySet[T]) -> T:
    row = rows.first()
    if row is None:
        raise Http404
    return row


def conversation_list(
    user: User, *, cursor: str = "", limit: int = 40, full: bool = False, only: Q | None = None
) -> Listing:
    """The person's conversations, newest first; each has `.running`. A cursor that can't be read starts from the top.

    `full`: with their models and newest messages. `only`: those of which this is true.
    """
    active = Generation.objects.filter(conversation=OuterRef("pk"), state__in=ACTIVE)
    rows = Conversation.objects.filter(user=user, deleted_at=None).annotate(running=Exists(active))
    rows = rows.filter(only or Q()).order_by("-updated_at", "-id")
    if position := _read_cursor(cursor):
        moment, number = position
        # The first half alone finds the place in the index; the second sorts out what has the very same time.
        rows = rows.filter(updated_at__lte=moment).exclude(updated_at=moment, id__gte=number)
    return _page(rows.select_related("leaf", "model") if full else rows, key="updated_at", limit=limit)


def bin_list(user: User, *, cursor: str = "", limit: int = 40, full: bool = False, only: Q | None = None) -> Listing:
    """The person's deleted conversations, the last deleted first. `full`, `only`: as of `conversation_list`."""
    rows = Conversation.objects.filter(user=user, deleted_at__isnull=False, going=False)
    rows = rows.filter(only or Q()).order_by("-deleted_at", "-id")
    if position := _read_cursor(cursor):
        moment, number = position
        rows = rows.filter(deleted_at__lte=moment).exclude(deleted_at=moment, id__gte=number)
    return _page(rows.select_related("leaf", "model") if full else rows, key="deleted_at", limit=limit)


def _page(rows: QuerySet[Conversation], *, key: str, limit: int) -> Listing:
    found = list(rows[: limit + 1])
    more = found[limit - 1] if len(found) > limit else None
    return Listing(found[:limit], f"{microseconds(getattr(more, key))}_{more.pk}" if more else "")


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def microseconds(moment: dt.datetime) -> int:
    """A moment as a whole number that sorts like it."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def _read_cursor(cursor: str) -> tuple[dt.datetime, int] | None:
    moment, _, number = cursor.partition("_")
    if not (moment.isascii() and moment.isdigit() and number.isascii() and number.isdigit()):
        return None
    if len(moment) > 17 or len(number) > 18:
        return None
    return _EPOCH + dt.timedelta(microseconds=int(moment)), int(number)


NEWEST, OLDER = 40, 20
"""Messages of a window: of the page as it opens, and of each that is scrolled to."""


def tree(conversation: Conversation, *, after: Message | None = None, limit: int = NEWEST) -> list[Message]:
    """Every message of a conversation, parents before children, those after `after`; one more than `limit` where there are more."""
    rows = Message.objects.filter(conversation=conversation).select_related("parent").order_by("pk")
    if after is not None:
        if after.conversation_id != conversation.pk:
            raise Http404
        rows = rows.filter(pk__gt=after.pk)
    return list(rows[: limit + 1])


# The path from a message up to its root, `limit` messages at most: parents are followed by primary key.
_PATH = """
WITH RECURSIVE path(id, parent_id, nth) AS (
    SELECT id, parent_id, 1 FROM chat_message WHERE id = %s
    UNION ALL
    SELECT m.id, m.parent_id, p.nth + 1 FROM chat_message m JOIN path p ON m.id = p.parent_id WHERE p.nth < %s
)
SELECT {columns} FROM path {more} ORDER BY nth
"""
_IDS = _PATH.format(columns="id", more="")
_TURNS = _PATH.format(columns="m.id, m.uuid, m.role, m.text", more="JOIN chat_message m ON m.id = path.id")


def path_ids(message_id: int, *, limit: int) -> list[int]:
    """The primary keys from a message up towards the root, nearest first."""
    with connection.cursor() as cursor:
        cursor.execute(_IDS, [message_id, limit])
        return [row[0] for row in cursor.fetchall()]


def path_texts(message_id: int) -> list[str]:
    """The texts of the path from a message to its root, as far as a prompt could hold them."""
    return [str(text) for _pk, _uuid_, _role, text in fetch(_TURNS, message_id, PROMPT_MESSAGES)]


def window(conversation: Conversation, *, before: Message | None = None, limit: int = 0) -> Window:
    """The newest messages of the path, or those before `before` (which must be of this conversation).

    Older ones come in smaller windows: a browser lays them out while somebody scrolls.
    """
    limit = limit or (NEWEST if before is None else OLDER)
    start = conversation.leaf_id if before is None else before.parent_id
    if before is not None and before.conversation_id != conversation.pk:
        raise Http404
    if start is None:
        return Window([], has_older=False)
    ids = path_ids(start, limit=limit + 1)
    found = Message.objects.in_bulk(ids[:limit])
    messages = [found[pk] for pk in reversed(ids[:limit]) if pk in found]
    dress(messages)
    return Window(messages, has_older=len(ids) > limit)


def dress(messages: Iterable[Message]) -> None:
    """Gives answers their latest generation and their rendered blocks (rendered now if they were by an older renderer)."""
    answers = [m for m in messages if m.role == Message.Role.ASSISTANT]
    latest: dict[int, Generation] = {}
    if len(answers) == 1:
        rows = _latest.rows(answers[0].pk)
    else:
        every = Generation.objects.filter(message__in=[m.pk for m in answers]).select_related("model", "provider")
        rows = list(every.order_by("id"))
    for generation in rows:
        latest[generation.message_id] = generation
    for message in answers:
        message.generation = latest.get(message.pk)  # type: ignore[attr-defined]  # what templates read
        message.blocks = blocks_of(message)  # type: ignore[attr-defined]  # what templates read


def blocks_of(message: Message) -> list[str]:
    """The safe HTML of a stored answer."""
    if message.html_version == rendering.HTML_VERSION or not message.text:
        return list(message.html)
    return rendering.render(message.text)


def memory_begins(conversation: Conversation) -> Message | None:
    """The oldest message that the model was told of in the last answer; None while it was told of all."""
    last: Generation | None = _last.first(conversation.pk)
    sent = last.request.get("sent", {}) if last else {}
    if not sent.get("cut"):
        return None
    return Message.objects.filter(conversation=conversation, uuid=sent["first"]).first()


def turns_for(generation: Generation, *, context_window: int) -> tuple[list[prompts.Turn], int]:
    """The path that leads to a generation's answer, oldest first, as far as it can matter; and how many older turns were not read.

    A continued answer is its own last turn, up to where the generation starts.
    """
    message = generation.message
    start = message.pk if generation.start_offset else message.parent_id
    if start is None:
        return [], 0
    if message.depth < min(CHUNK, PROMPT_MESSAGES):
        return _short_path(generation, start=start), 0
    ids = path_ids(start, limit=PROMPT_MESSAGES)
    length = message.depth + 1 if generation.start_offset else message.depth
    turns: list[prompts.Turn] = []
    read = 0
    room = context_window * CHARS_PER_TOKEN
    for chunk in (ids[i : i + CHUNK] for i in range(0, len(ids), CHUNK)):
        found = Message.objects.only("uuid", "role", "text").in_bulk(chunk)
        for pk in chunk:
            row = found[pk]
            text = row.text[: generation.start_offset] if pk == message.pk else row.text
            room -= len(text)
            read += 1
            if text:
                turns.append(prompts.Turn(str(row.uuid), row.role, text))
            if room < 0:
                return turns[::-1], length - read
    return turns[::-1], length - read


_PIECES = "SELECT text FROM chat_delta WHERE generation_id = %s AND kind = %s ORDER BY seq"


def text_so_far(generation: Generation) -> str:
    """The answer's text as it stands: what is stored, or, while it is written, what it began with and the live text since."""
    message = generation.message
    if not generation.active:
        return message.text
    pieces = fetch(_PIECES, generation.pk, Delta.Kind.TEXT)
    return message.text[: generation.start_offset] + "".join(piece for (piece,) in pieces)


def _short_path(generation: Generation, *, start: int) -> list[prompts.Turn]:
    """The whole path of a conversation that is not long, with one statement."""
    turns = []
    for pk, uuid, role, text in reversed(fetch(_TURNS, start, CHUNK)):
        said = text[: generation.start_offset] if pk == generation.message_id else text
        if said:
            turns.append(prompts.Turn(str(_uuid(uuid)), role, said))
    return turns
