"""The keys that sign tokens: `kid:secret` pairs, of which the first signs and all verify. Reads and writes text, nothing else.

The time a key was made stands in its id, so that a rotation knows which former keys nobody needs any more.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

FILE = "jwt_keys"
"""Its name in DATA_DIR."""
KID = re.compile(r"[A-Za-z0-9_-]{1,40}")
SECRET_BYTES = 32
_MADE = re.compile(r"(\d{8}T\d{6})Z-[a-z0-9]{6}")
_FORMAT = "%Y%m%dT%H%M%S"

Keys = Mapping[str, str]
"""Secrets by key id, in order."""


def read(text: str) -> dict[str, str]:
    """The keys in their order. What is no `kid:secret` gets an empty name or secret, which portal/checks.py then refuses."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        kid, _, secret = pair.partition(":")
        found["" if kid in found else kid] = secret
    return found


def write(keys: Keys) -> str:
    """The keys as `read` reads them."""
    return ",".join(f"{kid}:{secret}" for kid, secret in keys.items())


def make(now: dt.datetime | None = None) -> str:
    """One new key as text."""
    at = (now or dt.datetime.now(dt.UTC)).strftime(_FORMAT)
    tail = "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(6))
    return f"{at}Z-{tail}:{secrets.token_urlsafe(48)}"


def prepared(keys: Keys, *, now: dt.datetime) -> dict[str, str]:
    """The keys with a new one at the end: it verifies already and signs from the next rotation on."""
    return {**keys, **read(make(now))}


def rotated(keys: Keys, *, now: dt.datetime, needed: dt.timedelta) -> dict[str, str]:
    """The keys with the newest first: a prepared one if there is one, else a new one.

    `needed` is how long a token lives at most: a key that has signed nothing for so long is left out.
    """
    order = sorted(keys, key=lambda kid: _made(kid) or dt.datetime.min.replace(tzinfo=dt.UTC), reverse=True)
    first = next(iter(keys), "")
    if not order or order[0] == first:
        fresh = read(make(now))
        return {**fresh, **_still_needed(keys, signed_until=now, now=now, needed=needed)}
    rest = {kid: keys[kid] for kid in keys if kid != order[0]}
    return {order[0]: keys[order[0]], **_still_needed(rest, signed_until=now, now=now, needed=needed)}


def store(path: Path, keys: Keys) -> None:
    """Replaces the file, mode 0600, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(write(keys) + "\n")
    draft.replace(path)


def _still_needed(keys: Keys, *, signed_until: dt.datetime, now: dt.datetime, needed: dt.timedelta) -> dict[str, str]:
    """Those that may have signed a token that still lives. Each signed at most until the one before it was made."""
    kept: dict[str, str] = {}
    for kid, secret in keys.items():
        if signed_until > now - needed:
            kept[kid] = secret
        signed_until = _made(kid) or signed_until
    return kept


def _made(kid: str) -> dt.datetime | None:
    """When a key of ours was made; None for a name that somebody chose."""
    found = _MADE.fullmatch(kid)
    try:
        return dt.datetime.strptime(found[1], _FORMAT).replace(tzinfo=dt.UTC) if found else None
    except ValueError:
        return None
