"""The documentation against the code: settings, links, names and commands. Judges no prose."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
NAME = r"[A-Z][A-Z0-9_]*"
READS = (
    re.compile(rf"\benv\.\w+\(\s*\"({NAME})\""),
    re.compile(rf"\bos\.environ(?:\.get\(|\[)\s*\"({NAME})\""),
    re.compile(rf"\b(?:values|settings\(\))\.get\(\s*\"({NAME})\""),
    re.compile(rf"\bname=\"({NAME})\", default="),
    re.compile(rf"\$\{{({NAME}):?-"),
)
READERS = ("portal/**/*.py", "bin/*", "tests/conftest.py")
# Not settings: what the operating system or the shell says.
FOREIGN = {"PATH", "HOME", "LANG"}
# Read by what we start, not by us.
PASSED_ON = {"PIP_INDEX_URL"}
README_MAP = ("portal/", "chat/", "accounts/", "templates/", "manage.py", "requirements.txt")


def read_by_the_code() -> set[str]:
    files = [path for pattern in READERS for path in ROOT.glob(pattern) if path.is_file()]
    texts = [path.read_text() for path in files if path.suffix in {"", ".py"}]
    return {name for text in texts for pattern in READS for name in pattern.findall(text)} - FOREIGN


def documented() -> dict[str, int]:
    """Names in the first column of docs/configuration.md, and how often each stands there."""
    found: dict[str, int] = {}
    for line in (ROOT / "docs" / "configuration.md").read_text().splitlines():
        if line.startswith("| `"):
            for name in re.findall(rf"`({NAME})`", line.split("|")[1]):
                found[name] = found.get(name, 0) + 1
    return found


def test_the_search_for_settings_finds_each_way_of_reading_one() -> None:
    assert {"PUBLIC_URL", "LISTEN_FD", "ADMIN_EMAIL", "DRAIN_S", "PYTHON", "IGNORE_DOTENV"} <= read_by_the_code()


def test_every_setting_that_is_read_is_documented() -> None:
    assert sorted(read_by_the_code() - documented().keys()) == []


def test_nothing_is_documented_that_is_not_read() -> None:
    assert sorted(documented().keys() - read_by_the_code() - PASSED_ON) == []


def test_each_setting_is_documented_once_and_public_url_first() -> None:
    assert [name for name, count in documented().items() if count > 1] == []
    assert next(iter(documented())) == "PUBLIC_URL"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    here = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in here if not (page.parent / link).exists()] == []


def test_the_readmes_map_begins_with_the_six_names_and_names_only_what_exists() -> None:
    rows = (ROOT / "README.md").read_text().partition("## Map")[2].splitlines()
    cells = [row.split("|")[1] for row in rows if row.startswith("| `")]
    names = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert tuple(names[:6]) == README_MAP
    assert [name for name in names if not (ROOT / name).exists()] == []


def code_blocks(page: Path) -> str:
    return "\n".join(re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))


def test_the_commands_in_code_blocks_exist() -> None:
    blocks = "\n".join(code_blocks(page) for page in PAGES)
    commands = set(re.findall(r"manage\.py (\w+)", blocks))
    assert commands, "no code block names a command: the search is broken"
    assert sorted(commands - get_commands().keys()) == []
    scripts = set(re.findall(r"^(?:\w+=\S+ )*((?:bin|bench)/[\w.]+)", blocks, re.MULTILINE))
    assert {"bin/run", "bin/test"} <= scripts
    assert [script for script in sorted(scripts) if not (ROOT / script).is_file()] == []


def test_the_picture_in_the_readme_is_a_picture() -> None:
    assert (ROOT / "docs" / "img" / "chat.png").read_bytes().startswith(b"\x89PNG")
