"""Estimates of tokens: rounded up, never less for more text, wide letters count more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage import estimates


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("天空", 2), ("天a", 2), ("한국", 2), ("é" * 8, 2), ("😀", 1)],
)
def test_known_texts(text: str, tokens: int) -> None:
    assert estimates.tokens(text) == tokens


@given(one=st.text(max_size=50), two=st.text(max_size=50))
def test_more_text_is_never_fewer_tokens_and_pieces_are_never_cheaper(one: str, two: str) -> None:
    both = estimates.tokens(one + two)
    assert both >= max(estimates.tokens(one), estimates.tokens(two))
    assert both <= estimates.tokens(one) + estimates.tokens(two)
    assert both <= len(one + two)
