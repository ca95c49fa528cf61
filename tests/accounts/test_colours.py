"""The accent colour: what is made of it, and what cannot be read is refused with the pair and its contrast."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from accounts import colours
from accounts.brand import OWN


def test_contrast_is_the_one_of_wcag() -> None:
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert colours.contrast("#0f6b5c", "#ffffff") == pytest.approx(6.4, abs=0.05)
    assert colours.contrast("#123456", "#123456") == 1


def test_the_portals_own_colours_pass_their_own_check() -> None:
    colours.check(OWN[0], theme="light")
    colours.check(OWN[1], theme="dark")


@pytest.mark.parametrize(
    ("colour", "theme", "says"),
    [
        ("#ffcc00", "light", ("light theme", "#ffcc00", "contrast 1.")),
        ("#0f6b5c", "dark", ("dark theme", "#0f6b5c", "contrast 2.")),
        ("#777777", "light", ("light theme", "at least 4.5")),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_pair_and_its_contrast(
    colour: str, theme: colours.Theme, says: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError) as refused:
        colours.check(colour, theme=theme)
    assert all(piece in str(refused.value.messages[0]) for piece in says)


@pytest.mark.parametrize("colour", ["red", "#fff", "#12345g", "#1234567", "url(x)", "#123456;", "", "０１２３４５６"])
def test_only_six_digits_are_a_colour(colour: str) -> None:
    with pytest.raises(ValidationError):
        colours.check(colour, theme="light")


@pytest.mark.parametrize("colour", ["#0f6b5c", "#003399", "#7a0019", "#222222", "#6b2fa0", "#b42318"])
def test_a_colour_for_the_dark_is_made_of_every_readable_one(colour: str) -> None:
    colours.check(colour, theme="light")
    made = colours.for_the_dark(colour)
    colours.check(made, theme="dark")
    assert made != "#ffffff"


def test_the_sheet_holds_four_variables_in_each_theme_and_nothing_else() -> None:
    sheet = colours.sheet(*OWN)
    assert sheet.count("--accent:") == 3
    assert sheet.count("{") == sheet.count("}") == 5
    assert 'data-theme="dark"' in sheet
    assert "prefers-color-scheme:dark" in sheet
    assert "url" not in sheet
