"""What must not stand readable in the database: encrypted with keys derived from the installation's secret, one per purpose.

Knows no model. Provider keys have a file of their own (providers.keys): they are older and may have a secret of their own.
"""

from __future__ import annotations

import base64
import functools

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """What was stored was encrypted with a secret that this installation no longer has."""


def seal(text: str, *, purpose: str) -> str:
    """The text to store; only `unseal` with the same purpose reads it."""
    return _fernet(purpose, *_secrets()).encrypt(text.encode()).decode()


def unseal(stored: str, *, purpose: str) -> str:
    """What was sealed, with the secret of today or one of those before (SECRET_KEY_FALLBACKS). Raises Unreadable."""
    try:
        return _fernet(purpose, *_secrets()).decrypt(stored.encode()).decode()
    except InvalidToken:
        raise Unreadable("it was encrypted with a SECRET_KEY that is gone") from None


def _secrets() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@functools.lru_cache(maxsize=16)
def _fernet(purpose: str, *secrets: str) -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret, purpose=purpose)) for secret in secrets])


def _derived(secret: str, *, purpose: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
    return base64.urlsafe_b64encode(hkdf.derive(secret.encode()))
