"""Other people's conversations as far as an open look reaches: found, read in windows, taken along in a sealed file. Changes none of them.

Every function takes the look as accounts.openings has just found it living; only messages of its span are ever read.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count, Max, Min, QuerySet
from django.http import Http404

from accounts import audit_chain, taking_along
from accounts.models import AuditEvent, Opening
from chat import personal_own, queries, rendering
from chat.models import Conversation, Generation, Message

PAGE = 40
FORMAT = "conversations-1"
MOST_BYTES = 850_000
_DATE = (1980, 1, 1, 0, 0, 0)  # the same files make the same zip


@dataclass
class Turn:
    """A message as the page shows it: the words and nothing that could be done with them."""

    message: Message
    blocks: list[str] = field(default_factory=list)
    lang: str = ""
    state: str = ""


def messages_of(opening: Opening) -> QuerySet[Message]:
    """The messages of the look's span."""
    rows = Message.objects.filter(conversation__user=opening.person_id, conversation__going=False)
    return rows.filter(created_at__gte=opening.since, created_at__lt=opening.until)


def conversations(opening: Opening, *, before: int = 0) -> tuple[list[Conversation], int]:
    """A page of the conversations that have messages in the span, the last one first, and where the next page begins (0: nowhere).

    Each has `.first`, `.last` (moments) and `.count` of those messages.
    """
    rows = Conversation.objects.filter(user=opening.person_id, going=False)
    rows = rows.filter(messages__created_at__gte=opening.since, messages__created_at__lt=opening.until)
    if before:
        rows = rows.filter(pk__lt=before)
    spans = {"first": Min("messages__created_at"), "last": Max("messages__created_at"), "count": Count("messages")}
    found: list[Conversation] = [*rows.annotate(**spans).order_by("-pk")[: PAGE + 1]]
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else 0


def conversation_of(opening: Opening, uuid: UUID) -> Conversation:
    """One that the look reaches; anything else does not exist."""
    found = Conversation.objects.filter(user=opening.person_id, uuid=uuid, going=False).first()
    if found is None or not messages_of(opening).filter(conversation=found).exists():
        raise Http404
    return found


def turns(opening: Opening, conversation: Conversation, *, after: int = 0) -> tuple[list[Turn], int]:
    """A page of its messages as they were written, all branches, oldest first; and where the next begins (0: nowhere)."""
    rows = messages_of(opening).filter(conversation=conversation, pk__gt=after).order_by("pk")
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    queries.dress(shown)
    return [_turn(message) for message in shown], shown[-1].pk if len(found) > PAGE else 0


def _turn(message: Message) -> Turn:
    lang = rendering.language_of(message.text)
    if message.role == Message.Role.USER:
        return Turn(message, lang=lang)
    generation: Generation | None = getattr(message, "generation", None)
    state = str(generation.get_state_display()) if generation and generation.state != Generation.State.DONE else ""
    return Turn(message, blocks=getattr(message, "blocks", []), lang=lang, state=state)


# --- the sealed file ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sealed:
    """Files of a part and their manifest; `digest` is what the audit trail writes down before the file leaves."""

    files: list[tuple[str, bytes]]
    manifest: bytes
    more: bool

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest).hexdigest()


def collect(opening: Opening, *, part: int) -> Sealed:
    """The files of one part, at most as much as an answer of the site holds."""
    found, more = taking_along.portion(files(opening), part=part, most=MOST_BYTES)
    about = {
        "format": FORMAT,
        "opening": str(opening.uuid),
        "person": str(opening.person.uuid),
        "messages_since": opening.since.isoformat(),
        "messages_until": opening.until.isoformat(),
        "part": part,
        "more_parts": more,
        "sha256": {name: hashlib.sha256(body).hexdigest() for name, body in found},
    }
    return Sealed(found, json.dumps(about, indent=1, sort_keys=True).encode(), more)


def seal(sealed: Sealed, *, event: AuditEvent) -> bytes:
    """The zip: files, manifest, and the event that knows the manifest's digest."""
    out = io.BytesIO()
    told = {"event": event.number, "event_hash": event.hash, "manifest_sha256": sealed.digest}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, body in (*sealed.files, ("manifest.json", sealed.manifest), ("seal.json", json.dumps(told).encode())):
            packed.writestr(zipfile.ZipInfo(name, date_time=_DATE), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def fault_of(path: str) -> str:
    """What is wrong with a sealed file; empty when it is as it left, and the audit trail of this installation says so."""
    try:
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
            if len(names) != len(set(names)):
                return "a name stands in it twice"
            bodies = {name: packed.read(name) for name in names}
        manifest, told = bodies.pop("manifest.json"), json.loads(bodies.pop("seal.json"))
        written = json.loads(manifest)["sha256"]
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
        return f"it can't be read as a sealed file ({type(error).__name__})"
    if sorted(bodies) != sorted(written):
        return "files were added or taken away"
    for name, body in bodies.items():
        if hashlib.sha256(body).hexdigest() != written[name]:
            return f"{name} was changed"
    return _fault_of_event(told, digest=hashlib.sha256(manifest).hexdigest())


def _fault_of_event(told: object, *, digest: str) -> str:
    if not isinstance(told, dict):
        return "its seal can't be read"
    number = told.get("event")
    event = (
        AuditEvent.objects.filter(number=number, action="look.exported").first() if isinstance(number, int) else None
    )
    if event is None:
        return "the audit trail knows no such export"
    if event.changes.get("sha256", [None, None])[1] != digest or told.get("event_hash") != event.hash:
        return "the audit trail knows this export with another content"
    return "" if audit_chain.event_hash(event) == event.hash else "the event in the audit trail was changed"


def files(opening: Opening) -> Iterator[tuple[str, str]]:
    """What the look reaches, conversation by conversation."""
    mine = messages_of(opening)
    rows = Conversation.objects.filter(user=opening.person_id, going=False, pk__in=mine.values("conversation"))
    for conversation in rows.order_by("pk").iterator(chunk_size=50):
        yield from personal_own.files_of(conversation, mine.filter(conversation=conversation))
