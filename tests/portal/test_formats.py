"""One way to write a date, in every page and letter."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.conf import settings
from django.utils import formats, translation

MOMENT = dt.datetime(2026, 1, 5, 20, 30, tzinfo=dt.UTC)
WRITTEN = {
    "en": {"DATE_FORMAT": "5 Jan 2026", "DATETIME_FORMAT": "5 Jan 2026, 20:30", "TIME_FORMAT": "20:30"},
    "zh-hans": {"DATE_FORMAT": "2026年1月5日", "DATETIME_FORMAT": "2026年1月5日 20:30", "TIME_FORMAT": "20:30"},
}
FILTER = re.compile(r"""\|(?:date|time)\b(?::["']([^"']*)["'])?""")
# For machines (attributes), and the clock of the trail, where seconds tell lines apart.
OTHERS = {"c", "Ymd", "Y-m-d", "Uu", "H:i:s"}


@pytest.mark.parametrize("language", WRITTEN)
def test_the_short_form_is_the_long_one_and_no_date_is_ambiguous(language: str) -> None:
    with translation.override(language):
        for name, words in WRITTEN[language].items():
            assert formats.date_format(MOMENT, name) == words
        assert formats.date_format(MOMENT, "SHORT_DATE_FORMAT") == WRITTEN[language]["DATE_FORMAT"]
        assert formats.date_format(MOMENT, "SHORT_DATETIME_FORMAT") == WRITTEN[language]["DATETIME_FORMAT"]


@pytest.mark.parametrize("language", WRITTEN)
def test_large_numbers_are_grouped(language: str) -> None:
    with translation.override(language):
        assert formats.number_format(2_000_000, use_l10n=True, force_grouping=True) == "2,000,000"


def test_no_template_has_a_format_of_its_own() -> None:
    used = {
        (path.name, found[1])
        for path in (settings.BASE_DIR / "templates").rglob("*.*")
        for found in FILTER.finditer(path.read_text())
        if found[1] not in OTHERS and not str(found[1]).endswith("_FORMAT")
    }
    assert used == set()
