"""Amounts that are typed, kept and told: nothing is lost on the way, and what could mean two things is refused."""

from __future__ import annotations

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from providers import money


@pytest.mark.parametrize(
    ("text", "micro"),
    [("2.50", 2_500_000), ("2,5", 2_500_000), ("0,075", 75_000), (".5", 500_000), ("5.", 5_000_000), (" 0 ", 0),
     ("0.000001", 1), ("1.5000000", 1_500_000), ("1000000000", 10**15)],
)  # fmt: skip
def test_an_amount_is_read(text: str, micro: int) -> None:
    assert money.to_micro(text) == micro


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "1e3",
        "1,000",
        "12,500",
        "1.000,00",
        "1 000",
        "$2",
        "0.0000001",
        "NaN",
        "inf",
        "１",
        "1000000001",
        "9" * 400,
    ],
)
def test_what_is_no_amount_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        money.to_micro(text)


@given(st.integers(0, money.MOST_MICRO))
def test_what_is_told_is_read_back_as_it_was(micro: int) -> None:
    assert money.to_micro(money.to_text(micro)) == micro


def test_amounts_are_told_in_words() -> None:
    with translation.override("en"):
        assert money.words(75_000, "USD") == "$0.075"
        assert money.words(20_000_000, "CNY") == "¥20.00"
        assert money.words(1_234_567_890_000, "CHF") == "1,234,567.89 CHF"
        assert money.rounded(1_234_567_891, "USD") == "$1,234.57"
        assert money.rounded(-2_500_000, "USD") == "-$2.50"
        assert (money.rounded(9, "EUR"), money.rounded(0, "EUR")) == ("<€0.01", "€0.00")
