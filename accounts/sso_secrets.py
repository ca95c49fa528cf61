"""Secrets of company sign-ins at rest: sealed, and shown as four characters at most."""

from __future__ import annotations

import re

from accounts import sealing

PURPOSE = "company sign-in"
_USABLE = re.compile(r"[\x20-\x7e]{1,1000}")


def encrypt(secret: str) -> str:
    """The text to store. Raises ValueError for what cannot be a client's secret."""
    if not _USABLE.fullmatch(secret):
        raise ValueError("not a secret")
    return sealing.seal(secret, purpose=PURPOSE)


def decrypt(stored: str) -> str:
    """The secret itself, "" if none is stored or if it was sealed with a key that is gone: the issuer then says so."""
    try:
        return sealing.unseal(stored, purpose=PURPOSE) if stored else ""
    except sealing.Unreadable:
        return ""


def tail(secret: str) -> str:
    """The last four characters, to be shown; nothing of a secret so short that they would give it away."""
    return secret[-4:] if len(secret) >= 12 else ""
