"""The organisation's accent colour: what is made of it in both themes, and whether everything can be read. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

Theme = Literal["light", "dark"]
COLOUR = re.compile(r"#[0-9a-f]{6}")
LEAST = 4.5
"""The contrast of text that WCAG 2 asks for (AA)."""
GROUNDS: dict[Theme, dict[str, str]] = {
    "light": {"paper": "#ffffff", "side": "#f6f7f6", "sunken": "#f1f3f2"},
    "dark": {"paper": "#171918", "side": "#111312", "raised": "#1e2120"},
}
"""The surfaces on which links and buttons stand (static/css/base.css, dark.css)."""
_ENDS: dict[Theme, str] = {"light": "#000000", "dark": "#ffffff"}
_WASH: dict[Theme, float] = {"light": 0.12, "dark": 0.16}


@dataclass(frozen=True, slots=True)
class Tokens:
    """The four roles of the accent in one theme."""

    accent: str
    more: str
    on: str
    wash: str

    def css(self) -> str:
        return f"--accent:{self.accent};--accent-more:{self.more};--on-accent:{self.on};--wash:{self.wash}"


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mixed(colour: str, other: str, share: float) -> str:
    """`share` of the other colour in this one."""
    pairs = zip(_parts(colour), _parts(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _light(colour: str) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in _parts(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """By WCAG 2: 1 to 21."""
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


def tokens(colour: str, *, theme: Theme) -> Tokens:
    """What is made of the colour: its hover, the text on it, its wash."""
    paper = GROUNDS[theme]["paper"]
    on = max(("#ffffff", "#08110f"), key=lambda text: contrast(text, colour))
    return Tokens(colour, mixed(colour, _ENDS[theme], 0.2), on, mixed(paper, colour, _WASH[theme]))


def for_the_dark(colour: str) -> str:
    """The same hue, as much lighter as it takes to be read in the dark."""
    for step in range(20):
        lighter = mixed(colour, "#ffffff", step / 20)
        if not faults(lighter, theme="dark"):
            return lighter
    return "#ffffff"


def faults(colour: str, *, theme: Theme) -> list[tuple[str, str, str, float]]:
    """Pairs that cannot be read: (what, text, ground, contrast), the worst first."""
    made = tokens(colour, theme=theme)
    pairs = [(name, colour, ground) for name, ground in GROUNDS[theme].items()]
    pairs += [("wash", colour, made.wash), ("button", made.on, colour), ("pressed", made.on, made.more)]
    found = [(name, text, ground, contrast(text, ground)) for name, text, ground in pairs]
    return sorted((pair for pair in found if pair[3] < LEAST), key=lambda pair: pair[3])


def check(colour: str, *, theme: Theme) -> None:
    """Raises ValidationError that names the worst pair and its contrast."""
    if not COLOUR.fullmatch(colour):
        raise ValidationError(_("Write a colour as # and six digits, for example #0f6b5c."))
    if bad := faults(colour, theme=theme):
        _name, text, ground, ratio = bad[0]
        values = {"text": text, "ground": ground, "ratio": f"{int(ratio * 100) / 100:.2f}"}
        words = {
            "light": _(
                "In the light theme %(text)s on %(ground)s cannot be read: contrast %(ratio)s, at least 4.5 is needed."
            ),
            "dark": _(
                "In the dark theme %(text)s on %(ground)s cannot be read: contrast %(ratio)s, at least 4.5 is needed."
            ),
        }
        raise ValidationError(words[theme] % values)


def sheet(light: str, dark: str) -> str:
    """The style sheet: both themes, by the device or by choice. Only of colours that were checked."""
    day, night = tokens(light, theme="light").css(), tokens(dark, theme="dark").css()
    return (
        f":root{{{day}}}\n"
        f'@media screen and (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{{night}}}}}\n'
        f'@media screen{{:root[data-theme="dark"]{{{night}}}}}\n'
    )
