"""The month report in words. Reads nothing, decides nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import month_tables
from providers import money
from usage.limit_models import NOBODY
from usage.limit_words import number
from usage.month_report import Report

IN_LETTER = 5


def title(first: dt.date) -> str:
    """“October 2026”."""
    return formats.date_format(first, "YEAR_MONTH_FORMAT")


def letter(report: Report) -> dict[str, Any]:
    """What a letter says: lines of words, names of teams, nobody's name."""
    sums, currency = report.sums, report.currency
    lines = [
        (_("Cost, with corrections"), money.rounded(sums.total_micro, currency)),
        (_("Calls"), number(sums.calls)),
        (_("Tokens in and out"), f"{number(sums.input_tokens)} · {number(sums.output_tokens)}"),
    ]
    if sums.corrections:
        lines.insert(1, (_("of these corrections"), month_tables.signed(sums.corrected_micro, currency).text))
    if sums.foreign:
        lines.insert(1, (_("counted in another currency"), month_tables.several(sums.foreign).text))
    notes = []
    if sums.unknown:
        words = ngettext("%(n)s call is of unknown cost.", "%(n)s calls are of unknown cost.", sums.unknown)
        notes.append(words % {"n": number(sums.unknown)})
    notes.append(_("The month is closed.") if report.month.closed else _("The month is not closed yet."))
    teams = [
        (
            report.name(pk) or (_("without a team") if pk == NOBODY else str(pk)[:8]),
            money.rounded(of_team.total_micro, currency),
        )
        for pk, of_team in list(report.of_teams.items())[:IN_LETTER]
    ]
    return {"title": title(report.month.first), "lines": lines, "teams": teams, "notes": notes}
