"""docs/security.md against the tests: every attack has its row, each row a test that exists or what it waits for. Runs none of them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_guarantees import missing

ROOT = Path(__file__).resolve().parent.parent
# A: those of the reference; P: those of people who are let in, against colleagues' privacy.
ATTACKS = [*(f"A{number}" for number in range(1, 73)), *(f"P{number}" for number in range(1, 12))]
_ROW = re.compile(r"^\| ([AP]\d+) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
_WAITS = re.compile(r"not yet: \w")


def rows(text: str) -> list[tuple[str, str]]:
    """The number of each attack, and the rest of its row."""
    return [(number, rest) for number, rest in _ROW.findall(text)]


def faults(text: str, *, root: Path) -> list[str]:
    """Attacks without a row, rows without a test or a wait, tests that are gone."""
    found = rows(text)
    numbers = [number for number, _rest in found]
    said = [f"{number} has no row of its own" for number in ATTACKS if numbers.count(number) != 1]
    said += [f"{number}: four columns" for number, rest in found if rest.count(" | ") != 2]
    said += [f"{number}: neither a test nor what it waits for" for number, rest in found if not held(rest)]
    named = [(f"tests/{file}", test) for _number, rest in found for file, test in _TEST.findall(rest)]
    return said + missing(named, root=root)


def held(rest: str) -> bool:
    """Whether a row names a test, or says for what it waits."""
    return bool(_TEST.search(rest) or _WAITS.search(rest))


def test_every_attack_has_a_row_and_every_named_test_exists() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    assert "\n".join(faults(text, root=ROOT)) == ""
    assert [number for number, _rest in rows(text)] == ATTACKS


def test_a_missing_row_a_bare_row_and_a_test_that_is_gone_are_found(tmp_path: Path) -> None:
    lines = [f"| {number} | a | b | not yet: quotas |" for number in ATTACKS if number != "A7"]
    lines[0] = "| A1 | a | b | soon |"
    lines[1] = "| A2 | a | b | `test_gone.py::test_gone` |"
    lines[2] = "| A3 | a | not yet: quotas |"
    assert faults("\n".join(lines), root=tmp_path) == [
        "A7 has no row of its own",
        "A3: four columns",
        "A1: neither a test nor what it waits for",
        "tests/test_gone.py::test_gone",
    ]
