"""Reads settings from the environment strictly, and remembers what could not be read instead of failing half-way.

A wrong value is replaced by its default so that the settings load; portal/checks.py then stops the start with every
fault at once. Knows no setting by name.
"""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

YES = {"1", "true", "on", "yes", "y"}
NO = {"0", "false", "off", "no", "n", ""}


@dataclass(frozen=True)
class Fault:
    """A setting whose value was not used: `kind` is number, yes_no, choice, zone, database or mail."""

    name: str
    value: str
    kind: str
    hint: str


@dataclass
class Faults:
    found: list[Fault] = field(default_factory=list)

    def add(self, name: str, value: str, *, kind: str, hint: str) -> None:
        self.found.append(Fault(name, value, kind, hint))


class Environment(environ.Env):
    """`environ.Env` whose casts refuse nonsense ("20s", "1e3 s", "maybe") instead of guessing."""

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()

    def int(self, var: str, *, default: int = 0) -> int:
        text = self._text(var)
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            self.faults.add(var, text, kind="number", hint=f"A whole number, for example {default}.")
            return default

    def float(self, var: str, *, default: float = 0) -> float:
        text = self._text(var)
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        self.faults.add(var, text, kind="number", hint=f"A number, for example {default}.")
        return default

    def bool(self, var: str, *, default: bool = False) -> bool:
        text = self._text(var)
        if not text:
            return default
        if text.lower() in YES | NO:
            return text.lower() in YES
        self.faults.add(var, text, kind="yes_no", hint="1 or 0.")
        return default

    def choice(self, var: str, *, default: str, of: Collection[str]) -> str:
        """One of a few words, in any capitals."""
        text = self._text(var) or default
        if text.lower() in of:
            return text.lower()
        self.faults.add(var, text, kind="choice", hint=f"One of: {', '.join(of)}.")
        return default

    def zone(self, var: str, *, default: str) -> str:
        """The name of a time zone in the IANA database."""
        text = self._text(var) or default
        try:
            zoneinfo.ZoneInfo(text)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            self.faults.add(var, text, kind="zone", hint='A name like "Asia/Shanghai" or "Europe/Berlin".')
            return default
        return text

    def database(self, var: str, *, url: str) -> dict[str, Any]:
        """Django's settings for a SQLite or PostgreSQL address; for any other a database that answers nothing."""
        scheme = url.partition(":")[0].lower()
        if scheme in ("sqlite", "postgres", "postgresql", "psql", "pgsql"):
            try:
                return dict(self.db_url_config(url))
            except (ImproperlyConfigured, ValueError):
                pass
        hint = "sqlite:////folder/file.sqlite3 or postgres://user:password@host:5432/name."
        self.faults.add(var, f"{scheme}:…", kind="database", hint=hint)  # the rest may hold a password
        return {"ENGINE": "django.db.backends.dummy"}

    def mail(self, var: str, *, url: str) -> dict[str, Any]:
        """Django's mail settings; for an address that is not understood, mail that goes nowhere."""
        scheme = url.partition(":")[0].lower()
        try:
            return dict(self.email_url_config(url))
        except (ImproperlyConfigured, ValueError, KeyError):
            hint = "smtp+tls://user:password@host:587 or smtp+ssl://user:password@host:465."
            self.faults.add(var, f"{scheme}:…", kind="mail", hint=hint)
            return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}

    def triples(self, var: str, *, of: Collection[str]) -> list[tuple[str, str, str]]:
        """`name:id:secret,…`, each name one of those known; the secret may hold colons."""
        found = [tuple(each.strip().split(":", 2)) for each in self._text(var).split(",") if each.strip()]
        whole = [(each[0], each[1], each[2]) for each in found if len(each) == 3 and all(each) and each[0] in of]
        if len(whole) < len(found) or len({name for name, *_ in whole}) < len(whole):
            hint = f"name:id:secret, several with commas, each name once and one of: {', '.join(sorted(of))}."
            self.faults.add(var, "…", kind="choice", hint=hint)  # not the value: it holds secrets
            return []
        return whole

    def _text(self, var: str) -> str:
        return str(self.str(var, default="")).strip()
