"""docs/guarantees.md against the tests: each guarantee names tests, and each named test exists. Runs none of them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROMISES = [f"G-{number}" for number in range(1, 8)]
_NAMED = re.compile(r"^- `(tests/[\w/]+\.py)::(test_\w+)`$", re.MULTILINE)
_SECTION = re.compile(r"^## (G-\d): ", re.MULTILINE)


def named(text: str) -> dict[str, list[tuple[str, str]]]:
    """By guarantee: the (file, test) pairs that are said to hold it."""
    parts = _SECTION.split(text)[1:]
    return {name: _NAMED.findall(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def missing(pairs: list[tuple[str, str]], *, root: Path) -> list[str]:
    """Which of these tests are not there."""
    gone = []
    for file, test in pairs:
        path = root / file
        if not path.is_file() or not re.search(rf"^(?:async )?def {test}\(", path.read_text(), re.MULTILINE):
            gone.append(f"{file}::{test}")
    return gone


def test_each_guarantee_is_held_by_tests_that_exist() -> None:
    found = named((ROOT / "docs" / "guarantees.md").read_text())
    assert list(found) == PROMISES
    assert [promise for promise, pairs in found.items() if not pairs] == []
    assert missing([pair for pairs in found.values() for pair in pairs], root=ROOT) == []


def test_a_test_that_is_gone_and_a_guarantee_without_one_are_found(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_here() -> None: ...\n")
    text = "## G-1: one\n\n- `tests/test_a.py::test_here`\n- `tests/test_a.py::test_gone`\n\n## G-2: two\n\nwords\n"
    found = named(text)
    assert missing(found["G-1"], root=tmp_path) == ["tests/test_a.py::test_gone"]
    assert found["G-2"] == []
