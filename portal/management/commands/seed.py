"""Makes people, conversations and sessions for measurements, the same ones on every repeat. Never run it where people work.

It refuses to make anything that could sign in unless DEBUG is on or --yes is given, and it calls no model.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import re
import uuid
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from accounts.models import User
from accounts.session_store import SessionStore, stored
from accounts.sessions import KEY
from chat import rendering
from chat.models import Conversation, Generation, Message
from portal import seeded_calls

DOMAIN = "seed.invalid"
NAMESPACE = uuid.UUID("5eed5eed-0000-4000-8000-000000000000")
BEGIN = dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC)
GROUP = 200
"""So many conversations are made in one transaction."""
WORDS = re.findall(
    r"\w+",
    "the report says that sales rose in spring while costs fell because our team moved its work to one place and kept "
    "the plan simple please check the table again before we send it and tell me which number looks wrong to you",
)


class Command(BaseCommand):
    """`manage.py seed`: a repeat adds only what is missing."""

    help = "Makes people, conversations and sessions for measurements. Never on an installation that people use."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--people", type=int, default=0, help="so many people, person0@… on")
        parser.add_argument("--conversations", type=int, default=0, help="so many for the first person")
        parser.add_argument("--messages", type=int, default=10, help="messages in each of them (questions and answers)")
        parser.add_argument(
            "--calls", type=int, default=0, help="so many calls more, with ledger and sums, over a year"
        )
        parser.add_argument("--sessions", type=Path, help="a JSON file: e-mail, sessionid, csrftoken of each person")
        parser.add_argument("--password", default="", help="a password for people that are new")
        parser.add_argument("--yes", action="store_true", help="make sign-ins although DEBUG is off")

    def handle(self, *, people: int, conversations: int, messages: int, **given: Any) -> None:
        if (given["sessions"] or given["password"]) and not (settings.DEBUG or given["yes"]):
            raise CommandError("This makes people who can sign in: DEBUG=1, or --yes if that is what you want.")
        if min(people, conversations, messages) < 0:
            raise CommandError("Numbers must not be negative.")
        everybody = make_people(max(people, 1), password=given["password"])
        if conversations:
            made = make_conversations(everybody[0], count=conversations, length=messages)
            self.stdout.write(f"{everybody[0].email}: {made} new conversations of {messages} messages")
        if given["calls"] > 0:
            made = seeded_calls.make(given["calls"], people=everybody, now=timezone.now())
            self.stdout.write(f"{made} calls")
        if given["sessions"]:
            write(given["sessions"], [sign_in(person) for person in everybody])
        self.stdout.write(f"{len(everybody)} people, person0@{DOMAIN} to person{len(everybody) - 1}@{DOMAIN}")


def make_people(count: int, *, password: str = "") -> list[User]:
    """The first `count` seeded people, in order; new ones share one password (one hash), or have none that works."""
    emails = [f"person{number}@{DOMAIN}" for number in range(count)]
    known = set(User.objects.filter(email__endswith=f"@{DOMAIN}").values_list("email", flat=True))
    hashed = make_password(password or None)
    new = [User(email=email, name=email.partition("@")[0].title(), password=hashed) for email in emails]
    User.objects.bulk_create([user for user in new if user.email not in known], batch_size=500)
    found = {user.email: user for user in User.objects.filter(email__in=emails)}
    return [found[email] for email in emails]


def sign_in(user: User) -> dict[str, str]:
    """A session as a sign-in leaves it, without the cost of a password's hash."""
    store = SessionStore()
    key = get_random_string(32, "abcdefghijklmnopqrstuvwxyz0123456789")
    data = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[-1],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
        KEY: user.session_version,
    }
    ends = timezone.now() + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE)
    Session.objects.create(session_key=stored(key), session_data=store.encode(data), expire_date=ends)
    return {"email": user.email, "sessionid": key, "csrftoken": get_random_string(32)}


def write(file: Path, rows: list[dict[str, str]]) -> None:
    """Readable by its owner alone: who has it is signed in."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(rows, out)


def make_conversations(user: User, *, count: int, length: int) -> int:
    """Finished conversations, an hour apart; returns how many were missing."""
    known = set(Conversation.objects.filter(user=user).values_list("uuid", flat=True))
    missing = [number for number in range(count) if _name(user, f"conversation {number}") not in known]
    for start in range(0, len(missing), GROUP):
        with transaction.atomic():
            for number in missing[start : start + GROUP]:
                _conversation(user, number=number, length=length)
    return len(missing)


def _name(user: User, what: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{user.email} {what}")


def _conversation(user: User, *, number: int, length: int) -> None:
    """One conversation: a path of questions and answers, each answer with a generation that is done."""
    chance = random.Random(number)  # noqa: S311  # the same words on every repeat are what is wanted
    begun = BEGIN + dt.timedelta(hours=number)
    home = Conversation.objects.create(
        uuid=_name(user, f"conversation {number}"),
        user=user,
        title=f"{sentence(chance, words=5)} {number}",
        title_state=Conversation.TitleState.MANUAL,
        version=length // 2,
        created_at=begun,
        updated_at=begun + dt.timedelta(minutes=length),
    )
    path: list[Message] = []
    for depth in range(length):
        message = _message(user, home, number=number, depth=depth, chance=chance)
        # Keys are needed by the next one: bulk_create would leave the parent unknown.
        message.parent = path[-1] if path else None
        message.save(force_insert=True)
        path.append(message)
    answers = [message for message in path if message.role == Message.Role.ASSISTANT]
    Generation.objects.bulk_create([_generation(user, answer) for answer in answers])
    if path:
        Conversation.objects.filter(pk=home.pk).update(leaf=path[-1])


def _message(user: User, home: Conversation, *, number: int, depth: int, chance: random.Random) -> Message:
    asks = depth % 2 == 0
    text = sentence(chance, words=12) if asks else "\n\n".join(sentence(chance, words=40) for _ in range(2))
    return Message(
        uuid=_name(user, f"message {number} {depth}"),
        conversation=home,
        depth=depth,
        role=Message.Role.USER if asks else Message.Role.ASSISTANT,
        text=text,
        html=[] if asks else rendering.render(text),
        html_version=0 if asks else rendering.HTML_VERSION,
        created_at=home.created_at + dt.timedelta(minutes=depth),
    )


def _generation(user: User, answer: Message) -> Generation:
    at = answer.created_at
    return Generation(
        user=user,
        conversation=answer.conversation,
        message=answer,
        state=Generation.State.DONE,
        finish_reason="stop",
        deadline_at=at,
        created_at=at,
        started_at=at,
        first_token_at=at,
        finished_at=at,
        input_tokens=100,
        output_tokens=100,
    )


def sentence(chance: random.Random, *, words: int) -> str:
    """Readable words, the same for the same chance."""
    return " ".join(chance.choices(WORDS, k=words)).capitalize() + "."
