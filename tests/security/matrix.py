"""The walk over every address and method with every caller, against the table. Finds faults; asserts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

from tests.security.callers import (
    ANONYMOUS,
    DOOR,
    METHOD,
    Asking,
    Caller,
    dead,
    ghosts,
    outcome,
    people,
    programs,
    session_of,
)
from tests.security.policies import METHODS, Group
from tests.security.routes import BODIES, TABLE
from tests.security.world import World

# A HEAD is a GET without its body: these see whether it is guarded alike.
BY_HEAD = (
    "anonymous",
    "owner",
    "stranger",
    "administrator",
    "one-time password",
    "deactivated",
    "token: administrator",
)
# Of the programs, who tries the pages: there they must be nobody.
ON_PAGES = ("key: administrator", "token: owner", "token: administrator")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One cell that is not as declared, or a route without one."""

    route: str
    method: str
    who: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.method} {self.route} by {self.who}: expected {self.expected}, found {self.found}"


def walk(resolver: URLResolver | None = None, *, before: str = "") -> Iterator[str]:
    """Every route, as the resolver spells it."""
    for each in (resolver or get_resolver()).url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route
        else:
            yield from walk(each, before=route)


class Crowd:
    """Everybody who asks, with staff for every set of permissions that the table names."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.people = people(world)
        self.ghosts = ghosts(world)
        self.dead = dead(world)
        self.programs = programs(world)
        self._staff: dict[tuple[str, frozenset[str]], Caller] = {}
        for group in TABLE:  # now, since what a single test makes is gone with it
            self._by_permission(group)

    def for_route(self, group: Group, *, method: str) -> list[Caller]:
        """Who asks there."""
        everybody = self._everybody(group)
        return [each for each in everybody if each.name in BY_HEAD] if method == "HEAD" else everybody

    def _everybody(self, group: Group) -> list[Caller]:
        # Whether a proof is old matters only where one is asked for.
        present = [each for each in self.people.values() if group.confirmed or not each.name.startswith("unconfirmed")]
        everybody = [*present, *self.ghosts]
        if group.policy.programs is not None:
            return [*everybody, *self.dead, *self.programs.values()]
        return [*everybody, *(self.programs[name] for name in ON_PAGES), *self._by_permission(group)]

    def probing(self, group: Group) -> list[Caller]:
        """Who tries a method that is not declared: where a library treats it like the others, those whom it must refuse."""
        names = ("stranger",) if group.loose else ("owner", "administrator")
        return [ANONYMOUS, *(self.people[name] for name in names)]

    def _by_permission(self, group: Group) -> list[Caller]:
        lacking = [group.without] if group.without else [(name,) for name in group.needs]
        holders = ["holder", *(["unconfirmed holder"] if group.confirmed else [])] if group.needs else []
        found = [self._of_staff(name, group.needs) for name in holders]
        return [*found, *(self._of_staff("without " + " ".join(names), names) for names in lacking)]

    def _of_staff(self, name: str, permissions: Sequence[str]) -> Caller:
        place = (name, frozenset(permissions))
        if place not in self._staff:
            make = self.world.staff_without if name.startswith("without") else self.world.staff_with
            user = make(*permissions)
            self._staff[place] = Caller(name, session=session_of(user, confirmed="unconfirmed" not in name), user=user)
        return self._staff[place]


def faults(table: Iterable[Group], *, routes: Iterable[str], crowd: Crowd, asking: Asking) -> list[Fault]:
    """Every cell of these routes that is not as declared."""
    declared: dict[str, list[Group]] = {}
    for group in table:
        for route in group.names():
            declared.setdefault(route, []).append(group)
    found: list[Fault] = []
    for route in sorted(set(routes)):
        if route not in declared:
            found.append(Fault(route, "any", "anybody", "a row in tests/security/routes.py", "none"))
            continue
        found += _of_route(route, declared[route], crowd=crowd, asking=asking)
    return found


def undeclared(table: Iterable[Group], *, routes: Iterable[str]) -> tuple[list[str], list[str]]:
    """Routes without a row, and rows without a route."""
    named, there = {route for group in table for route in group.names()}, set(routes)
    return sorted(there - named), sorted(named - there)


def _of_route(route: str, groups: list[Group], *, crowd: Crowd, asking: Asking) -> Iterator[Fault]:
    path = crowd.world.path(route)
    kind, body = BODIES.get(route, ("application/x-www-form-urlencoded", ""))
    for method in METHODS:
        group = next((each for each in groups if method in each.methods), None)
        for caller in crowd.for_route(group, method=method) if group else crowd.probing(groups[0]):
            got = outcome(
                asking.ask(method, path, caller, body=body if method in {"POST", "PUT"} else "", content_type=kind)
            )
            wanted = group.expected(caller.name) if group else _refusals(groups[0], caller)
            if got not in wanted:
                yield Fault(route, method, caller.name, " or ".join(sorted(wanted)), got)


def _refusals(group: Group, caller: Caller) -> set[str]:
    """What a method that is not taken may meet: 405; the door where that comes first; a library's view treats it like the others."""
    first = {DOOR} if group.policy.programs is not None and caller is ANONYMOUS else set()
    return {METHOD} | first | (group.expected(caller.name) if group.loose else set())
