"""The month report's tables: what each shows, and writes into its file. Decides nothing, asks the database nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import formats
from django.utils.translation import gettext as _

from accounts import csv_file
from portal import desk_words as words
from portal.desk_cards import Cell, Table
from providers import money
from usage import call_links
from usage.invoices import Compared
from usage.limit_models import NOBODY
from usage.models import LedgerEntry
from usage.month_report import Report, Sums

MOST = 200
"""So many rows a table shows; its file has all of them."""


@dataclass(frozen=True)
class Sheet:
    """A report with what is shown beside it. `links`: calls may be followed; `names` of whoever made a correction; `is_whole`:
    of the whole organisation, not of one team.
    """

    report: Report
    tz: ZoneInfo
    links: bool = False
    corrections: Sequence[LedgerEntry] = ()
    compared: Sequence[Compared] = ()
    names: Mapping[UUID, str] = field(default_factory=dict)
    is_whole: bool = True

    @property
    def currency(self) -> str:
        return self.report.currency

    @property
    def tells_unknown(self) -> bool:
        return bool(self.report.sums.unknown)

    def name(self, pk: UUID, *, nobody: str) -> str:
        return nobody if pk == NOBODY else self.report.name(pk) or _("removed (%(id)s)") % {"id": str(pk)[:8]}


def decimal(micro: int) -> Decimal:
    """The amount as a number for a file."""
    return Decimal(money.to_text(micro))


def amount(micro: int, currency: str) -> Cell:
    return Cell(money.rounded(micro, currency), decimal(micro))


def signed(micro: int, currency: str) -> Cell:
    """With its sign: a difference or a correction; a dash for none."""
    plus = "+" if micro > 0 else ""
    return Cell(plus + money.rounded(micro, currency) if micro else "–", decimal(micro))


def several(sums: Mapping[str, int]) -> Cell:
    """Amounts of several currencies: “$12.30 + ¥4.00”, in a file “12.3 USD + 4 CNY”."""
    kept = {currency: micro for currency, micro in sorted(sums.items()) if micro}
    text = " + ".join(money.rounded(micro, currency) for currency, micro in kept.items())
    return Cell(text or "–", " + ".join(f"{money.to_text(micro)} {currency}" for currency, micro in kept.items()))


def count(value: int) -> Cell:
    return Cell(words.number(value), value)


def percent(value: float | None) -> str:
    """“+5.0 %”; empty where there is nothing to compare with."""
    if value is None:
        return ""
    plus = "+" if value > 0 else ""
    return plus + _("%(n)s %%") % {"n": formats.number_format(value, decimal_pos=1)}


def table(what: str, sheet: Sheet) -> Table:
    """One of TABLES."""
    return TABLES[what](sheet)


def lines(found: Table) -> Iterable[list[Any]]:
    """The same as lines of a file, with numbers as they are."""
    yield list(found.head)
    for row in found.rows:
        yield [cell.text if cell.raw == "" and place == 0 else cell.raw for place, cell in enumerate(row)]


def text(what: str, sheet: Sheet) -> str:
    """One table as a file."""
    return csv_file.MARK + "".join(csv_file.line(line) for line in lines(table(what, sheet)))


def _head(sheet: Sheet, *first: str) -> tuple[str, ...]:
    """Columns of every table of use."""
    unknown = (_("Of unknown cost"),) if sheet.tells_unknown else ()
    return (
        *first, _("Calls"), _("Tokens in"), _("of these cached"), _("Tokens out"), _("of these reasoning"),
        _("In the price's currency"), *unknown, _("Cost, %(currency)s") % {"currency": sheet.currency},
        _("Corrections"), _("Together"),
    )  # fmt: skip


def _used(sheet: Sheet, sums: Sums) -> tuple[Cell, ...]:
    hidden = sums.unknown and not sums.cost_micro
    cost = Cell(_("unknown"), "") if hidden else amount(sums.cost_micro, sheet.currency)
    total = Cell(_("unknown"), "") if hidden and not sums.corrected_micro else amount(sums.total_micro, sheet.currency)
    unknown = (count(sums.unknown),) if sheet.tells_unknown else ()
    return (
        count(sums.calls), count(sums.input_tokens), count(sums.cached_tokens), count(sums.output_tokens),
        count(sums.reasoning_tokens), several(sums.own), *unknown, cost, signed(sums.corrected_micro, sheet.currency), total,
    )  # fmt: skip


def named(text: str) -> Cell:
    return Cell(text, text)


def _uses(sheet: Sheet, what: str, title: str, who: str, rows: Mapping[Any, Sums], name: Callable[[Any], str]) -> Table:
    cells = tuple((named(name(key)), *_used(sheet, sums)) for key, sums in rows.items())
    return Table(what, title, _head(sheet, who), cells)


def centres(sheet: Sheet) -> Table:
    rows = sheet.report.of_centres
    return _uses(
        sheet,
        "cost-centres",
        _("Cost centres"),
        _("Cost centre"),
        rows,
        lambda name: name or _("without a cost centre"),
    )


def teams(sheet: Sheet) -> Table:
    report = sheet.report
    cells = tuple(
        (named(sheet.name(pk, nobody=_("without a team"))), named(report.centres.get(pk, "")), *_used(sheet, sums))
        for pk, sums in report.of_teams.items()
    )
    return Table("teams", _("Teams"), _head(sheet, _("Team"), _("Cost centre")), cells)


def models(sheet: Sheet) -> Table:
    cells = tuple(
        (
            named(sheet.name(model, nobody="–")),
            named(sheet.name(provider, nobody=_("none reached"))),
            *_used(sheet, sums),
        )
        for (model, provider), sums in sheet.report.of_models.items()
    )
    return Table("models", _("Models"), _head(sheet, _("Model"), _("Provider")), cells)


def by_team_and_model(sheet: Sheet) -> Table:
    report = sheet.report
    cells = tuple(
        (named(report.centres.get(team, "")), named(sheet.name(team, nobody=_("without a team"))),
         named(sheet.name(model, nobody="–")), *_used(sheet, sums))
        for (team, model), sums in report.of_lines.items()
    )  # fmt: skip
    head = _head(sheet, _("Cost centre"), _("Team"), _("Model"))
    return Table("team-models", _("Teams and their models"), head, cells)


def people(sheet: Sheet) -> Table:
    nobody = _("nobody any more, or a program without a name")
    return _uses(
        sheet, "people", _("People"), _("Person"), sheet.report.people or {}, lambda pk: sheet.name(pk, nobody=nobody)
    )


def corrections(sheet: Sheet) -> Table:
    """Those that were made in the month, whichever month's calls they are about."""

    def row(entry: LedgerEntry) -> tuple[Cell, ...]:
        made, about = entry.at.astimezone(sheet.tz), entry.reserved_at.astimezone(sheet.tz)
        url = f"{call_links.CALLS}{entry.request_id}/" if sheet.links else ""
        micro = entry.organisation_cost_micro
        cost = Cell(_("unknown"), "") if micro is None else signed(micro, entry.organisation_currency)
        return (
            Cell(formats.date_format(made, "SHORT_DATETIME_FORMAT"), made.isoformat(timespec="seconds")),
            Cell(formats.date_format(about, "YEAR_MONTH_FORMAT"), f"{about:%Y-%m}", url),
            named(entry.team_name or "–"), named(entry.model_name or "–"),
            Cell(f"{entry.input_tokens + entry.output_tokens:+,d}", entry.input_tokens + entry.output_tokens),
            cost, named(entry.organisation_currency), *(why(entry) if sheet.is_whole else ()),
        )  # fmt: skip

    def why(entry: LedgerEntry) -> tuple[Cell, ...]:
        return named(entry.reason), named(sheet.names.get(entry.by, "–") if entry.by else "–")

    head: tuple[str, ...] = (_("Made"), _("A call of"), _("Team"), _("Model"), _("Tokens"), _("Cost"), _("Currency"))
    head = (*head, _("Reason"), _("By")) if sheet.is_whole else head
    empty = _("No correction was made in this month.")
    return Table("corrections", _("Corrections"), head, tuple(map(row, sheet.corrections)), empty=empty)


def invoices(sheet: Sheet) -> Table:
    def row(each: Compared) -> tuple[Cell, ...]:
        model = _("all of it") if each.model == NOBODY else model_of(sheet, each)
        asked = Cell("–") if each.invoice is None else amount(each.invoice.amount_micro, each.currency)
        difference = Cell("–") if each.difference_micro is None else signed(each.difference_micro, each.currency)
        share = "" if each.percent is None else round(each.percent, 2)
        return (
            named(provider_of(sheet, each)), named(model), named(each.currency), amount(each.ledger_micro, each.currency),
            asked, difference, Cell(percent(each.percent) or "–", "" if share == "" else Decimal(str(share))),
        )  # fmt: skip

    head = (
        _("Provider"), _("Model"), _("Currency"), _("The ledger says"), _("Invoice"), _("Difference"), _("Of what was counted"),
    )  # fmt: skip
    return Table("invoices", _("Invoices"), head, tuple(map(row, sheet.compared)))


def provider_of(sheet: Sheet, each: Compared) -> str:
    return sheet.report.name(each.provider) or _kept(sheet, each.provider) or sheet.name(each.provider, nobody="–")


def model_of(sheet: Sheet, each: Compared) -> str:
    kept = each.invoice.model_name if each.invoice else ""
    return sheet.report.name(each.model) or kept or sheet.name(each.model, nobody="–")


def _kept(sheet: Sheet, provider: UUID) -> str:
    """As it was called when an invoice of it was entered."""
    rows = (each.invoice for each in sheet.compared if each.provider == provider)
    return next((row.provider_name for row in rows if row is not None), "")


TABLES: dict[str, Callable[[Sheet], Table]] = {
    "cost-centres": centres, "teams": teams, "team-models": by_team_and_model, "models": models, "people": people,
    "corrections": corrections, "invoices": invoices,
}  # fmt: skip
OF_PERSONS = frozenset({"people"})
"""Tables that name people: for those who may see them."""
OF_ALL = frozenset({"cost-centres", "teams", "team-models", "invoices"})
"""Tables that say nothing about one team."""


def shown(found: Table) -> Table:
    """At most so many rows as a page can carry, and how many more there are."""
    more = max(0, len(found.rows) - MOST)
    return Table(found.what, found.title, found.head, found.rows[:MOST], found.empty, more)
