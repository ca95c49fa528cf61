"""What each kind of caller must meet at an address: the few policies that the table of routes (routes.py) is written in.

Nobody is whoever has no living session: anonymous, waiting, switched off, signed out; on pages also every program's credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.security.callers import CONFIRM, DOOR, IN, LED, NO, NONE

READ, WRITE, FORM = ("GET", "HEAD"), ("POST",), ("GET", "HEAD", "POST")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Policy:
    """By role: the outcome (tests.security.callers). `staff` has no permission at all."""

    nobody: str
    owner: str
    teammate: str
    stranger: str
    staff: str
    administrator: str
    # Of programs: exceptions by the caller's name, and what the rest meets; None: they count as nobody (pages).
    programs: str | None = None
    named: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str | None:
        """What this role meets, if it is one of these."""
        found: str | None = getattr(self, name, None) if name in ROLES else None
        return found


PROGRAMS = (
    "key: full", "key: program", "key: narrow", "key: stranger", "key: administrator",
    "token: owner", "token: stranger", "token: administrator",
)  # fmt: skip
"""Living credentials of programs (callers.programs)."""
ROLES = ("nobody", "owner", "teammate", "stranger", "staff", "administrator")
PUBLIC = Policy(IN, IN, IN, IN, IN, IN)
SIGNED_IN = Policy(DOOR, IN, IN, IN, IN, IN)
OWNERS = Policy(DOOR, IN, NONE, NONE, NONE, NONE)
"""Somebody's own: for everybody else, administrators included, it does not exist."""
MANAGERS = Policy(DOOR, NONE, IN, NONE, NONE, NONE)
SETUP = Policy(DOOR, NO, NO, NO, NO, IN)
"""The administration: by permission, never by being staff."""
ENTRANCE = Policy(DOOR, NO, NO, NO, IN, IN)
"""Staff, whatever it may do; what is behind asks for permissions."""
NEVER = Policy(NONE, NONE, NONE, NONE, NONE, NONE)
DJANGO = Policy(DOOR, DOOR, DOOR, DOOR, NO, IN)
"""Django's plain administration: whoever is not staff is led to the door."""
DJANGO_STAFF = Policy(DOOR, DOOR, DOOR, DOOR, IN, IN)
DJANGO_CLOSED = Policy(DOOR, DOOR, DOOR, DOOR, NO, NO)
"""Closed to everybody, superusers included."""


def api(*, lacking: tuple[str, ...] = (), **roles: str) -> Policy:
    """An address of the API: 401 without a living credential. A session counts for what its person may.

    `lacking`: the keys that have not the scope. `roles`: who meets something else; `key_full` is the caller "key: full".
    """
    sessions = {role: roles.pop(role, DOOR if role == "nobody" else IN) for role in ROLES}
    named = {name.replace("_", ": ", 1): outcome for name, outcome in roles.items()}
    return Policy(**sessions, programs=IN, named=named | {f"key: {name}": NO for name in lacking})


@dataclass(frozen=True, slots=True)
class Group:
    """Routes with one policy. Methods that are not named are answered 405 to everybody.

    `needs`: permissions that suffice together; each is tried without. `without`: taken away together, where one of several suffices.
    `confirmed`: asks for a proof of who it is that is not old. `loose`: a class of a library that takes more methods than it
    needs; then the policy holds for all of them. `always`: also open to somebody who has to choose a password first.
    """

    policy: Policy
    methods: tuple[str, ...]
    routes: str
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    confirmed: bool = False
    loose: bool = False
    always: bool = False

    def expected(self, name: str) -> set[str]:
        """What this caller may meet with one of the methods."""
        policy = self.policy
        if name in policy.named:
            return {policy.named[name]}
        if name in PROGRAMS:
            return {policy.programs or policy.nobody}
        if name == "one-time password":
            led = policy.stranger if self.always else LED
            return {led if policy.programs is None else policy.nobody}
        if name.startswith("without "):
            return {NO}
        role = name.removeprefix("unconfirmed ")
        found = policy.of("administrator" if role == "holder" else role) or policy.nobody
        if self.confirmed and role != name:  # she may be asked before it is looked whose it is
            return {IN: {CONFIRM}, NONE: {CONFIRM, NONE}}.get(found, {found})
        return {found}

    def names(self) -> list[str]:
        """Its routes."""
        return ["" if route == "/" else route for route in self.routes.split()]
