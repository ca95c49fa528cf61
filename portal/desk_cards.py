"""The desk's tables: what each shows, links to, and writes into its file. Decides nothing, asks the database nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from portal import desk_words as words
from providers import money
from usage import call_links
from usage.call_words import ANSWERS, BAD, ERRORS
from usage.desk import IN_MATRIX, TOP, Desk
from usage.desk_queries import Sums, Use
from usage.limit_models import NOBODY
from usage.models import REFUSED, Source
from usage.percentiles import Times


@dataclass(frozen=True, slots=True)
class Cell:
    """`text` is shown, `raw` stands in the file; `url` leads to the rows behind it; `state` is a mark: good, warn or bad."""

    text: str
    raw: object = ""
    url: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`what` names it in addresses; the first cell of a row is what the row is about."""

    what: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""
    more: int = 0


@dataclass(frozen=True)
class Look:
    """Who looks: in what currency, with links to calls or without, and with the names of people or without."""

    desk: Desk
    currency: str
    links: bool = True
    persons: bool = True
    limits: Mapping[UUID, int] = field(default_factory=dict)
    states: Mapping[UUID, str] = field(default_factory=dict)

    def url(self, **only: UUID | str) -> str:
        """The calls behind a figure; "" where there is no such page, and for nobody, whom no search names."""
        return "" if not self.links or NOBODY in only.values() else call_links.calls(self.desk.span, **only)

    def cost(self, micro: int, *, unknown: int = 0) -> Cell:
        text = _("unknown") if unknown and not micro else money.rounded(micro, self.currency)
        return Cell(text, money.to_text(micro))

    def name(self, pk: UUID, *, nobody: str) -> str:
        return nobody if pk == NOBODY else self.desk.names.get(pk) or _("removed (%(id)s)") % {"id": str(pk)[:8]}


def count(value: int, url: str = "") -> Cell:
    return Cell(words.number(value), value, url if value else "")


def took(times: Times | None) -> tuple[Cell, Cell]:
    """Half are quicker than the first, nineteen of twenty than the second."""
    pair = (times.p50, times.p95) if times else (None, None)
    first, second = (Cell(words.seconds(ms), "" if ms is None else ms) for ms in pair)
    return first, second


def table(what: str, look: Look) -> Table:
    """One of TABLES."""
    return TABLES[what](look)


def models(look: Look) -> Table:
    def row(model: UUID, sums: Sums) -> tuple[Cell, ...]:
        url = look.url(model=model, outcome=ANSWERS)
        times = look.desk.times_of_model.get(model, {})
        failed = Cell(
            words.share(sums.error_rate),
            round(sums.error_rate, 2),
            look.url(model=model, outcome=BAD) if sums.failed else "",
        )
        cost = look.cost(sums.cost_micro, unknown=sums.unknown)
        return (Cell(look.name(model, nobody="–"), look.name(model, nobody=""), url), count(sums.answers, url), count(sums.tokens), cost,
                failed, *took(times.get("ttft")), *took(times.get("duration")))  # fmt: skip

    head = (
        _("Model"),
        _("Answers"),
        _("Tokens"),
        _("Cost"),
        _("Errors"),
        _("First words, half"),
        _("95 %"),
        _("Whole answer, half"),
        _("95 %"),
    )
    return Table("models", _("Models"), head, tuple(row(*pair) for pair in look.desk.by_model.items()))


def providers(look: Look) -> Table:
    def row(provider: UUID, sums: Sums) -> tuple[Cell, ...]:
        url = look.url(provider=provider)
        state = look.states.get(provider, "")
        failed = look.url(provider=provider, outcome=BAD) if sums.failed else ""
        times = look.desk.times_of_provider.get(provider, {})
        named = look.name(provider, nobody=_("none reached"))
        return (Cell(named, named, url), count(sums.calls, url), look.cost(sums.cost_micro, unknown=sums.unknown),
                Cell(words.share(sums.error_rate), round(sums.error_rate, 2), failed), took(times.get("ttft"))[1],
                Cell(state or "–", state, state="bad" if state else ""))  # fmt: skip

    head = (_("Provider"), _("Calls"), _("Cost"), _("Errors"), _("First words, 95 %"), _("Circuit"))
    return Table("providers", _("Providers"), head, tuple(row(*pair) for pair in look.desk.by_provider.items()))


def sources(look: Look) -> Table:
    def row(name: str, sums: Sums) -> tuple[Cell, ...]:
        url = look.url(source=name) if name == Source.TITLE else look.url(source=name, outcome=ANSWERS)
        cost = look.cost(sums.cost_micro, unknown=sums.unknown)
        return Cell(words.source(name), name, url), count(sums.calls, url), count(sums.tokens), cost

    rows = tuple(row(name, sums) for name, sums in look.desk.by_source.items() if sums.calls)
    return Table("sources", _("Where calls come from"), (_("Door"), _("Calls"), _("Tokens"), _("Cost")), rows)


def teams(look: Look) -> Table:
    rows = []
    for team, use in look.desk.of_teams.items():
        named = look.name(team, nobody=_("without a team"))
        url = look.url(team=team, outcome=ANSWERS)
        full = look.limits.get(team)
        limit = (
            Cell("–")
            if full is None
            else Cell(words.share(full), full, state="bad" if full >= 100 else "warn" if full >= 80 else "good")
        )
        rows.append(
            (
                Cell(named, named, url),
                look.cost(use.cost_micro, unknown=use.unknown),
                count(use.calls, url),
                count(len(use.people - {NOBODY})),
                limit,
            )
        )
    return Table("teams", _("Teams"), (_("Team"), _("Cost"), _("Answers"), _("People"), _("Limit used")), tuple(rows))


def people(look: Look) -> Table:
    return _uses(look, "people", _("Who uses it most"), _("Person"), look.desk.of_people, name="person")


def keys(look: Look) -> Table:
    return _uses(look, "keys", _("API keys"), _("Key"), look.desk.of_keys, name="key")


def _uses(look: Look, what: str, title: str, who: str, uses: Mapping[UUID, Use], *, name: str) -> Table:
    def row(pk: UUID, use: Use) -> tuple[Cell, ...]:
        url = look.url(outcome=ANSWERS, **{name: pk})
        named = look.name(pk, nobody="–")
        return (
            Cell(named, named, url),
            look.cost(use.cost_micro, unknown=use.unknown),
            count(use.calls, url),
            count(use.tokens),
        )

    rows = tuple(row(*pair) for pair in list(uses.items())[:TOP])
    return Table(what, title, (who, _("Cost"), _("Answers"), _("Tokens")), rows, more=max(0, len(uses) - TOP))


def matrix(look: Look) -> Table:
    """Who uses which model: answers."""
    shown = list(look.desk.by_model)[:6]
    rows = []
    for person in list(look.desk.of_people)[:IN_MATRIX]:
        cells = [look.desk.matrix.get((person, model)) for model in shown]
        named = look.name(person, nobody="–")
        asked = [
            count(use.calls if use else 0, look.url(person=person, model=model, outcome=ANSWERS))
            for use, model in zip(cells, shown, strict=True)
        ]
        rows.append((Cell(named, named, look.url(person=person, outcome=ANSWERS)), *asked))
    head = (_("Person"), *(look.name(model, nobody="–") for model in shown))
    return Table(
        "matrix", _("Who uses which model"), head, tuple(rows), more=max(0, len(look.desk.of_people) - IN_MATRIX)
    )


def errors(look: Look) -> Table:
    return _causes(
        look,
        "errors",
        _("Failed and broken off"),
        look.desk.errors,
        words.cause,
        links={"outcome": BAD},
        empty=_("No answer failed."),
    )


def rejections(look: Look) -> Table:
    return _causes(
        look,
        "rejections",
        _("Refused questions"),
        look.desk.rejections,
        words.reason,
        links={"outcome": REFUSED},
        empty=_("No question was refused."),
    )


def _causes(
    look: Look,
    what: str,
    title: str,
    counts: Mapping[str, int],
    say: Callable[[str], str],
    *,
    links: Mapping[str, str],
    empty: str,
) -> Table:
    rows = []
    for kind, n in counts.items():
        # Of some refusals (a stale page, an answer that is still being written) there is no row.
        url = look.url(**links, error=kind) if kind in ERRORS else ""
        rows.append((Cell(say(kind), kind, url), count(n, url)))
    return Table(what, title, (_("Why"), _("How many")), tuple(rows), empty=empty)


def times(look: Look) -> Table:
    names = {"queue": _("Waiting for a worker"), "ttft": _("First words"), "duration": _("Whole answer")}
    rows = []
    for measure, title in names.items():
        now, before = look.desk.times[measure], look.desk.times_before[measure]
        longest = Cell(words.seconds(now.longest if now.total else None), now.longest)
        rows.append((Cell(title, measure), *took(now), longest, took(before)[1]))
    head = (_("Time"), _("half are quicker than"), _("95 % are quicker than"), _("longest"), _("95 % before"))
    return Table("times", _("How long it takes"), head, tuple(rows))


def tokens(look: Look) -> Table:
    now, before = look.desk.sums, look.desk.earlier
    names = {
        "input_tokens": _("Questions"), "cached_tokens": _("of these from the provider's cache"), "output_tokens": _("Answers"),
        "reasoning_tokens": _("of these reasoning"),
    }  # fmt: skip
    rows = tuple(
        (Cell(title, name), count(getattr(now, name)), count(getattr(before, name))) for name, title in names.items()
    )
    return Table("tokens", _("Tokens"), (_("Tokens of"), _("This range"), _("The range before")), rows)


def steps(look: Look) -> Table:
    """Everything by day (or hour, or quarter of an hour): the table of all drawings."""
    desk, rows = look.desk, []
    for number, sums in enumerate(desk.steps):
        begins, ends = desk.span.step(number)
        label = desk.span.days[number].isoformat() if desk.span.days else begins.isoformat()
        each = desk.times_by_step[number]
        at_once = sums.busy_ms / 1000 / (ends - begins).total_seconds()
        rows.append((
            Cell(label, label), look.cost(sums.cost_micro, unknown=sums.unknown), count(sums.answers), count(sums.failed),
            count(sums.tokens), Cell(f"{at_once:.1f}", round(at_once, 2)), *took(each["ttft"]), *took(each["duration"]),
        ))  # fmt: skip
    head = (
        _("Time"),
        _("Cost"),
        _("Answers"),
        _("Errors"),
        _("Tokens"),
        _("At once"),
        _("First words, half"),
        _("95 %"),
        _("Whole answer, half"),
        _("95 %"),
    )
    return Table("steps", _("Over time"), head, tuple(rows))


def spending(look: Look) -> Table:
    """The table of the drawing of money: by step and model."""
    desk, rows = look.desk, []
    shown = list(desk.models_by_step)
    for number in range(len(desk.steps)):
        label = desk.span.days[number].isoformat() if desk.span.days else desk.span.step(number)[0].isoformat()
        rows.append(
            (Cell(label, label), *(look.cost(desk.models_by_step[model][number].cost_micro) for model in shown))
        )
    head = (_("Time"), *(look.name(model, nobody="–") for model in shown))
    return Table("spending", _("Cost by model"), head, tuple(rows))


TABLES: dict[str, Callable[[Look], Table]] = {
    "spending": spending, "steps": steps, "models": models, "providers": providers, "sources": sources, "teams": teams, "people": people,
    "keys": keys, "matrix": matrix, "errors": errors, "rejections": rejections, "times": times, "tokens": tokens,
}  # fmt: skip
OF_PERSONS = frozenset({"people", "matrix", "keys"})
"""Tables that name people: for those who may see them."""


def lines(found: Table) -> Iterable[list[Any]]:
    """The same as lines of a file, with numbers as they are."""
    yield list(found.head)
    for row in found.rows:
        yield [row[0].raw or row[0].text, *(cell.raw for cell in row[1:])]
