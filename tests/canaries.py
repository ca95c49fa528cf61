"""Every secret that a test makes is looked for in everything the test lets out: answers, log records, letters, messages to the queue.

A secret is also found in other clothes: quoted, escaped, in hexadecimal, in base64 at any offset, as a plain digest. Where one is
meant to be shown once stands in SHOWN. Hears of both by tests.canary_watch and imports nothing of the product.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

LINKS = frozenset({"invitation link", "one-time link", "registration link", "reset link"})
SHOWN: tuple[tuple[str, str, str], ...] = (
    # kind, where (a method and path, or a channel), why
    ("api key", r"POST /me/keys/(new/|[0-9a-f-]+/roll/)", "shown once, to its owner"),
    ("api key", r"POST /setup/keys/new/", "shown once, to whoever makes a program's key"),
    ("api key", r"POST /api/v1/keys/([0-9a-f-]+/roll/)?", "answered once, to the program that made it"),
    ("access token", r"POST /api/v1/auth/token/(refresh/)?", "what was asked for"),
    ("refresh token", r"POST /api/v1/auth/token/(refresh/)?", "what was asked for"),
    ("one-time password", r"POST /setup/people/new/", "shown once, to the administrator"),
    ("one-time link", r"POST /setup/people/[0-9a-f-]+/link/", "shown once, to the administrator"),
    ("one-time link", r"POST /accounts/confirm/", "the same page, where the administrator had to say first who he is"),
    ("one-time link", r"letter", "without it the letter says nothing"),
    ("invitation link", r"POST /setup/people/invitations/(file/|[0-9a-f-]+/)?", "shown once, to the administrator"),
    ("invitation link", r"POST /me/language/", "back to the link's own page, in another language"),
    ("invitation link", r"letter", "without it the letter says nothing"),
    ("registration link", r"letter", "without it the letter says nothing"),
    ("reset link", r"letter", "without it the letter says nothing"),
    ("authenticator secret", r"(GET|POST) /accounts/second-factor/app/", "to be put into the app, before it is in use"),
)
"""The only places where a secret of this kind may stand. A page under a link's own address may repeat it, too."""
SHORTEST = 10
"""Characters: anything shorter stands in texts by chance."""


@dataclass
class Kept:
    """What one test made and let out."""

    secrets: dict[str, str] = field(default_factory=dict)
    out: list[tuple[str, str]] = field(default_factory=list)

    def leaks(self) -> list[str]:
        """Each secret that stands where it may not, by kind, form and place. Never the secret itself."""
        found: dict[str, None] = {}
        for place, text in self.out:
            for secret, kind in self.secrets.items():
                if any(form in text for form in forms(secret)) and not meant(kind, secret=secret, place=place):
                    found[f"{kind} as {_form_in(secret, text=text)} in {place}"] = None
        return list(found)


kept = Kept()
"""Of the test that runs now."""


def made(kind: str, secret: object) -> None:
    """From now on this is looked for."""
    said = secret.decode(errors="replace") if isinstance(secret, bytes) else str(secret or "")
    if len(said) >= SHORTEST:
        kept.secrets.setdefault(said, kind)


def let_out(place: str, text: str) -> None:
    kept.out.append((place, text))


def begin() -> None:
    """Forgets the test before."""
    kept.secrets.clear()
    kept.out.clear()


def meant(kind: str, *, secret: str, place: str) -> bool:
    """Whether it belongs there."""
    method_and_path = place.partition("?")[0]
    if kind in LINKS and secret in place:
        return True
    return any(kind == each and re.fullmatch(where, method_and_path) for each, where, _why in SHOWN)


@lru_cache(maxsize=4096)
def forms(secret: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(named_forms(secret).values()))


def named_forms(secret: str) -> dict[str, str]:
    """The clothes in which it would still be readable, or could be told to be itself."""
    raw = secret.encode()
    named = {
        "itself": secret,
        "repr": repr(secret)[1:-1],
        "JSON": json.dumps(secret)[1:-1],
        "HTML": html.escape(secret),
        "an address": quote(secret, safe=""),
        "hexadecimal": raw.hex(),
        "SHA-256": hashlib.sha256(raw).hexdigest(),
        "SHA-1": hashlib.sha1(raw).hexdigest(),
        "MD5": hashlib.md5(raw).hexdigest(),
    }
    for offset in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            whole = encode(b"\0" * offset + raw).decode()
            named[f"{name} at {offset}"] = whole[(4 if offset else 0) : len(whole) - 4]
    return named


def _form_in(secret: str, *, text: str) -> str:
    return next(name for name, form in named_forms(secret).items() if form in text)


def told(leaks: Iterable[str]) -> str:
    """Why the test fails."""
    return "a secret was let out: " + "; ".join(leaks)
