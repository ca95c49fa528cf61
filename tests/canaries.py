"""Every secret that a test makes is looked for in everything the test lets out: answers, log records, letters, messages to the queue.

A secret is also found in other clothes: quoted, escaped, in hexadecimal, in base64 at any offset, packed, as a plain digest. Where one
is meant to be shown once stands in SHOWN. Hears of both by tests.canary_watch, and of a whole installation's by
tests.security.installation; imports nothing of the product.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

LINKS = frozenset({"invitation link", "one-time link", "registration link", "reset link", "e-mail change link"})
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
    ("e-mail change link", r"letter", "without it the letter says nothing"),
    ("authenticator secret", r"(GET|POST) /accounts/second-factor/app/", "to be put into the app, before it is in use"),
    ("recovery code", r"GET /accounts/second-factor/codes/", "shown once, to its owner"),
    ("one-time link", r"command rescue", "printed on the server, for whoever called it"),
    ("poll ticket", r"POST /chat/messages/", "what the page polls with, for its own session"),
    ("poll ticket", r"GET /live/[0-9a-f-]+", "the same, or its successor"),
    ("SECRET_KEY", r"file data/secret_key", "its only place, mode 0600"),
    ("signing key", r"file data/jwt_keys", "its only place, mode 0600"),
)
"""The only places where a secret of this kind may stand. A page under a link's own address may repeat it, too."""
STORED: tuple[tuple[str, str, str], ...] = (
    # kind, in which clothes, why
    ("api key", "SHA-256", "288 bits of chance: nobody finds them from their digest"),
    ("refresh token", "SHA-256", "holds 128 bits of chance and a signature"),
    ("invitation link", "SHA-256", "256 bits of chance"),
    ("one-time link", "SHA-256", "256 bits of chance"),
    ("session id", "SHA-256", "160 bits of chance"),
)
"""What the database may hold of a secret ("database …"). Whatever is sealed there is in no clothes that could be read."""
SHORTEST = 10
"""Characters: anything shorter stands in texts by chance; where it is looked for all the same it must stand by itself."""


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
                if not any(stands(form, text=text) for form in forms(secret)) or meant(
                    kind, secret=secret, place=place
                ):
                    continue
                worn = [name for name, form in named_forms(secret).items() if stands(form, text=text)]
                if left := [name for name in worn if not stored(kind, clothes=name, place=place)]:
                    found[f"{kind} as {left[0]} in {place}"] = None
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


def stands(form: str, *, text: str) -> bool:
    return form in text and (len(form) >= SHORTEST or bool(re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text)))


def stored(kind: str, *, clothes: str, place: str) -> bool:
    """Whether the database may hold it like this."""
    return place.startswith("database") and any((kind, clothes) == each[:2] for each in STORED)


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
    for offset in range(3 if len(secret) >= SHORTEST else 0):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            whole = encode(b"\0" * offset + raw).decode()
            named[f"{name} at {offset}"] = whole[(4 if offset else 0) : len(whole) - 4]
    return named


PACKED = re.compile(r"eJ[\w-]{20,}")


def unpacked(text: str) -> str:
    """What stands in it zipped and in base64, as Django signs larger things: sessions, tokens in addresses."""
    found = []
    for match in PACKED.finditer(text):
        packed = match[0].encode()
        try:
            whole = zlib.decompressobj().decompress(base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4)))
        except (ValueError, zlib.error):
            continue
        found.append(whole.decode("utf-8", "replace"))
    return "\n".join(found)


def told(leaks: Iterable[str]) -> str:
    """Why the test fails."""
    return "a secret was let out: " + "; ".join(leaks)
