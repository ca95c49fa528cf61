"""Where somebody signs in from: words for the browser and the system, and the mark of a browser that has signed in before.

The mark only says "this browser knew the password once": it lets nobody in, it keeps others' wrong tries from counting against her.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

COOKIE = "__Host-device" if settings.SECURE else "device"
AGE = 365 * 24 * 3600
SALT = "accounts.devices"

# The first that is found counts: most name their ancestors, too.
BROWSERS = (
    ("WeCom", r"wxwork/"),
    ("WeChat", r"MicroMessenger/"),
    ("Feishu", r"(?:Lark|Feishu)/"),
    ("DingTalk", r"DingTalk"),
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("Firefox", r"(?:Firefox|FxiOS)/"),
    ("Chrome", r"(?:Chrome|CriOS|Chromium)/"),
    ("Safari", r"Version/[\d.]+ .*Safari/"),
    ("curl", r"^curl/"),
    ("Python", r"^(?:python|Python|OpenAI/Python|AsyncOpenAI/Python)"),
)
SYSTEMS = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("HarmonyOS", r"HarmonyOS|OpenHarmony"),
    ("Windows", r"Windows"),
    ("ChromeOS", r"CrOS"),
    ("Mac", r"Macintosh|Mac OS X"),
    ("Linux", r"Linux|X11"),
)


def words(agent: str) -> str:
    """“Chrome, Windows”; what is not recognised is not guessed."""
    found = [next((name for name, mark in kinds if re.search(mark, agent)), "") for kinds in (BROWSERS, SYSTEMS)]
    return ", ".join(filter(None, found)) or gettext("unknown device")


def remember(request: HttpRequest, *, email: str) -> None:
    """The answer to this request will carry the mark: she has just proved who she is here."""
    vars(request)["remembered_device"] = email


def mark(request: HttpRequest, response: HttpResponse) -> None:
    """Sets the cookie if this request earned it."""
    email = vars(request).get("remembered_device")
    if email is None:
        return
    held = _read(request)
    number = held[1] if held and held[0] == _digest(email) else secrets.token_hex(8)
    value = signing.dumps([_digest(email), number], salt=SALT)
    response.set_cookie(COOKIE, value, max_age=AGE, secure=settings.SECURE, httponly=True, samesite="Lax")


def known(request: HttpRequest, *, email: str) -> str:
    """The browser's own number if this person has signed in with it before, else empty."""
    held = _read(request)
    return held[1] if held and held[0] == _digest(email) else ""


def _read(request: HttpRequest) -> tuple[str, str] | None:
    try:
        whose, number = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=AGE)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return str(whose), str(number)


def _digest(email: str) -> str:
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()
