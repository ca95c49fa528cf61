"""What the watcher asks the database: who may read, what is new, what notes need. Each is one query for all watched answers."""

from __future__ import annotations

import bisect
import datetime as dt
import math
import uuid
from collections.abc import Iterable
from dataclasses import replace

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import Count, Sum

from accounts import clock, session_store
from accounts.prepared import Prepared, PreparedIn, execute, fetch, marks
from chat import durability, queries, rendering
from chat.live import Ended, LiveAnswer
from chat.models import Conversation, Generation, Message, WorkerHeartbeat
from chat.notes import Facts
from providers import access
from usage import metrics

Right = tuple[str, int, int]
_ALIVE = "SELECT session_key FROM django_session WHERE expire_date > %s AND session_key IN ({keys})"
_VERSIONS = """
SELECT id, session_version FROM accounts_user WHERE is_active AND NOT password_expired AND id IN ({people})
"""
_rows = PreparedIn(lambda keys: Generation.objects.select_related("message", "conversation").filter(pk__in=keys))
_named = Prepared(
    lambda uuid, user: Generation.objects.select_related("message", "conversation").filter(uuid=uuid, user_id=user),
    uuid.UUID(int=0xABCDEF),
    -1,
)
_LIVE = """
SELECT d.seq, d.kind, d.text FROM chat_delta d JOIN chat_generation g ON g.id = d.generation_id
WHERE g.uuid = %s AND g.user_id = %s ORDER BY d.seq
"""


def rights(asked: Iterable[Right]) -> set[Right]:
    """Of (session key, user id, session version): those whose session lives and whose version holds, of people who may ask."""
    wanted = list(asked)
    if not wanted:
        return set()
    keys, people = {session_store.stored(r[0]): r[0] for r in wanted}, sorted({r[1] for r in wanted})
    alive = {keys[row[0]] for row in fetch(_ALIVE.format(keys=marks(keys)), clock.now(), *sorted(keys))}
    versions = dict(fetch(_VERSIONS.format(people=marks(people)), *people))
    return {r for r in wanted if r[0] in alive and versions.get(r[1]) == r[2]}


def load(generation: str, *, user_id: int) -> LiveAnswer | None:
    """A generation of this person as it stands now: what was stored, and the live text since."""
    # Text before state: with a state older than its text, `seq` would be too small and a reader would miss what closed then.
    pieces = fetch(_LIVE, uuid.UUID(generation), user_id)
    row: Generation | None = _named.first(uuid.UUID(generation), user_id)
    if row is None:
        return None
    answer = LiveAnswer(
        row.pk, generation, row.conversation_id, user_id, state=row.state, revision=row.revision, facts=_facts(row)
    )
    if row.state in Generation.ACTIVE:
        answer.begin(row.message.text[: row.start_offset], reasoning=row.message.reasoning)
        answer.feed(pieces)
    else:
        _finish(answer, row=row)
    return answer


def expected(row: Generation) -> LiveAnswer:
    """A generation that was queued just now by this process, as `load` would give it: nothing is asked."""
    answer = LiveAnswer(
        row.pk,
        str(row.uuid),
        row.conversation_id,
        row.user_id,
        state=row.state,
        revision=row.revision,
        facts=_facts(row),
    )
    answer.begin(row.message.text[: row.start_offset], reasoning=row.message.reasoning)
    return answer


_NEW = """
WITH w(gid, seen, revision) AS (VALUES {values})
SELECT g.id, g.state, g.revision, d.seq, d.kind, d.text
FROM w JOIN chat_generation g ON g.id = w.gid
LEFT JOIN chat_delta d ON d.generation_id = g.id AND d.seq > w.seen
WHERE d.seq IS NOT NULL OR g.revision <> w.revision
ORDER BY g.id, d.seq
"""


def advance(answers: list[LiveAnswer]) -> list[LiveAnswer]:
    """Brings all answers up to date; returns those that changed."""
    server = connection.vendor == "postgresql"
    row = "(%s::bigint, %s::int, %s::int)" if server else "(%s, %s, %s)"
    values = [value for a in answers for value in (a.pk, a.last_delta, a.revision)]
    with connection.cursor() as cursor:
        cursor.execute(_NEW.format(values=", ".join([row] * len(answers))), values)
        rows = cursor.fetchall()
    pieces: dict[int, list[tuple[int, int, str]]] = {}
    states: dict[int, tuple[str, int]] = {}
    for pk, state, revision, seq, kind, text in rows:
        states[pk] = (state, revision)
        if seq is not None:
            pieces.setdefault(pk, []).append((seq, kind, text))
    changed = [a for a in answers if a.pk in states]
    ended = [a.pk for a in changed if states[a.pk][0] not in Generation.ACTIVE]
    over = {g.pk: g for g in _rows.rows(ended)}
    for answer in changed:
        with answer.lock:
            if answer.pk in over:
                _finish(answer, row=over[answer.pk])
            else:
                answer.state, answer.revision = states[answer.pk]
                answer.feed(pieces.get(answer.pk, []))
    return changed


def _finish(answer: LiveAnswer, *, row: Generation) -> None:
    message: Message = row.message
    answer.finish(state=row.state, revision=row.revision, html=queries.blocks_of(message), reasoning=message.reasoning)
    answer.facts = _facts(row)
    home = row.conversation
    untitled = home.title_state == Conversation.TitleState.PENDING
    answer.ended = Ended(
        conversation_id=home.pk,
        finished_at=row.finished_at,
        title=home.title,
        untitled=untitled,
        lang=rendering.language_of(message.text),
        # Not where the page shows more than words: what was thought, where the model's memory begins, or who answered instead.
        whole=row.state == "done" and bool(message.text) and not message.reasoning and not _says_more(row),
    )
    if not untitled:
        answer.titled = home.title


def _says_more(row: Generation) -> bool:
    """Whether something was cut from what was sent, or another provider than the first one answered."""
    noted = row.request.get("sent") or {}
    return bool(noted.get("cut") or noted.get("instead_of"))


def _facts(row: Generation) -> Facts:
    return Facts(
        uuid=str(row.uuid),
        state=row.state,
        kind=row.error_kind,
        finish_reason=row.finish_reason,
        tries=row.tries,
        has_text=bool(row.message.text),
        charged=bool(row.input_tokens or row.output_tokens),
    )


_THERE = "SELECT id, state FROM chat_generation WHERE id IN ({ids})"


def look_around(answers: list[LiveAnswer]) -> list[LiveAnswer]:
    """Refreshes what notes are made of, for answers that have not begun; marks those whose row is gone. Returns what changed."""
    now = clock.now()
    ids = [a.pk for a in answers]
    there = dict(fetch(_THERE.format(ids=marks(ids)), *ids))
    waiting_ids = [pk for pk, state in there.items() if state in ("queued", "waiting")]
    notable = Generation.objects.select_related("message", "model").filter(pk__in=waiting_ids)
    rows = {g.pk: g for g in notable} if waiting_ids else {}
    waiting = [g for g in rows.values() if g.state in ("queued", "waiting")]
    places = _places(now=now) if waiting else 0
    circuits = access.broken() if waiting else {}
    working = _working(broken=circuits) if circuits else ()
    means = _means(waiting, now=now)
    queue = (
        list(Generation.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True)) if waiting else []
    )
    changed = []
    for answer in answers:
        row = rows.get(answer.pk)
        if row is None:
            if answer.pk not in there:
                answer.gone = True
                changed.append(answer)
            continue  # nothing is noted of what is being written
        facts = _facts(row)
        if row.state in ("queued", "waiting"):
            ahead = bisect.bisect_left(queue, row.pk)
            facts = _waiting_facts(row, now=now, places=places, ahead=ahead, mean=means.get(row.model_id or 0, 0.0))
            if row.model_id in circuits:
                facts = replace(facts, circuit=circuits[row.model_id], working=working)
        if facts != answer.facts:
            answer.facts = facts
            changed.append(answer)
    return changed


def _waiting_facts(row: Generation, *, now: dt.datetime, places: int, ahead: int, mean: float) -> Facts:
    age = (now - row.created_at).total_seconds()
    later = row.next_attempt_at
    return Facts(
        uuid=str(row.uuid),
        state=row.state,
        kind=row.error_kind,
        tries=row.tries,
        retry_in=float(max(0, round((later - now).total_seconds()))) if later else None,
        age=float(min(2, int(age))),
        ahead=min(ahead, 999) if age > 1 else 0,
        about=_about(mean * (ahead + 1) / places) if places and mean else None,
        no_worker=not places and age > 1,
    )


def _about(seconds: float) -> int:
    """Rounded to what can be promised, so that it also changes seldom: to 5 s, above half a minute to 15 s, above two to minutes."""
    step = 5 if seconds <= 30 else 15 if seconds <= 120 else 60
    return max(1, math.ceil(seconds / step)) * step


def _places(*, now: dt.datetime) -> int:
    """How many answers the workers that live can write at a time; 0 when none has shown itself for WORKER_SILENT_S."""
    silent = dt.timedelta(seconds=settings.WORKER_SILENT_S)
    alive = WorkerHeartbeat.objects.filter(beat_at__gt=now - silent, beat_at__lt=now + silent)
    found = alive.aggregate(workers=Count("pk"), places=Sum("places"))
    places: int = max(found["places"] or 0, found["workers"])
    return places


def _means(waiting: list[Generation], *, now: dt.datetime) -> dict[int, float]:
    """By model: how long its answers took lately, in seconds. Asked only for those who have waited for a second."""
    late = {g.model_id: g.model for g in waiting if g.model and (now - g.created_at).total_seconds() > 1}
    if not late:
        return {}
    found = metrics.mean_seconds([model.uuid for model in late.values()], now=now)
    return {pk: found[model.uuid] for pk, model in late.items() if pk is not None and model.uuid in found}


def _working(*, broken: Iterable[int]) -> tuple[str, ...]:
    """The names of three models that everybody can use instead."""
    return tuple(access.for_everybody().exclude(pk__in=list(broken)).values_list("name", flat=True)[:3])


def title_of(conversation_id: int) -> str:
    """The conversation's title now. For a thread of its own: a connection that has died meanwhile is replaced first."""
    close_old_connections()
    return next((row[0] for row in fetch("SELECT title FROM chat_conversation WHERE id = %s", conversation_id)), "")


_TITLED = "SELECT id, title FROM chat_conversation WHERE title_state <> 'pending' AND id IN ({ids})"


def look_for_titles(answers: list[LiveAnswer]) -> list[LiveAnswer]:
    """Of ended answers whose readers wait for a title: those that have one now."""
    if not answers:
        return []
    ids = sorted({a.conversation_id for a in answers})
    titles: dict[int, str] = dict(fetch(_TITLED.format(ids=marks(ids)), *ids))
    found = [a for a in answers if a.conversation_id in titles]
    for answer in found:
        answer.titled, answer.awaits_title = titles[answer.conversation_id], False
    return found


_SEEN = "UPDATE chat_conversation SET seen_at = %s WHERE id = %s AND (seen_at IS NULL OR seen_at < %s)"


def note_seen(ends: Iterable[Ended]) -> None:
    """These ends were looked at: they are no news in their people's lists."""
    durability.relax()
    with transaction.atomic():
        for ended in sorted(ends, key=lambda each: each.conversation_id):
            execute(_SEEN, ended.finished_at, ended.conversation_id, ended.finished_at)
