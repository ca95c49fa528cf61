"""The Chinese catalogue: complete, compiled, not guessed, with the same placeholders; every text of the source is in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES"
APPS = ("accounts", "providers", "usage", "chat", "api", "portal")
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
STRING = r"""u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
IN_TEMPLATE = re.compile(rf"(?:\b_|gettext)\(\s*{STRING}")


def in_python(source: str) -> Iterator[str]:
    """The first string of every call that translates."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0]
        if name in CALLS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def in_template(source: str) -> Iterator[str]:
    """The texts that Django itself would hand to xgettext."""
    for match in IN_TEMPLATE.finditer(templatize(source)):
        yield ast.literal_eval(match[1])


def in_source() -> dict[str, str]:
    """Every text to translate, with the file it was found in last."""
    found: dict[str, str] = {}
    for app in APPS:
        for file in (ROOT / app).rglob("*.py"):
            if "migrations" not in file.parts:
                found |= dict.fromkeys(in_python(file.read_text()), str(file.relative_to(ROOT)))
    for file in (ROOT / "templates").rglob("*"):
        if file.suffix in (".html", ".txt"):
            found |= dict.fromkeys(in_template(file.read_text()), str(file.relative_to(ROOT)))
    return found


@pytest.fixture(scope="module")
def catalogue() -> polib.POFile:
    return polib.pofile(str(FOLDER / "django.po"))


def test_every_text_of_the_source_is_in_the_catalogue(catalogue: polib.POFile) -> None:
    known = {entry.msgid for entry in catalogue}
    assert {text: file for text, file in in_source().items() if text not in known} == {}


def test_the_search_for_texts_sees_each_way_of_writing_them() -> None:
    python = 'x = _("one")\ny = ngettext("two", "twos", n)\nz = translation.gettext_lazy("thr" "ee")\nw = other("no")\n'
    assert list(in_python(python)) == ["one", "two", "three"]
    template = (
        "{% load i18n %}{% translate 'one' %}{% blocktranslate trimmed with a=b %}\n two {{ a }}\n{% endblocktranslate %}"
        "{% blocktranslate count n=n %}three{% plural %}threes{% endblocktranslate %}<p>no</p>"
    )
    assert list(in_template(template)) == ["one", "two %(a)s", "three"]


def test_every_text_has_a_translation_and_none_is_a_guess(catalogue: polib.POFile) -> None:
    assert [entry.msgid for entry in catalogue.untranslated_entries()] == []
    assert [entry.msgid for entry in catalogue.fuzzy_entries()] == []
    assert [entry.msgid for entry in catalogue.obsolete_entries()] == []


def test_a_translation_keeps_the_placeholders(catalogue: polib.POFile) -> None:
    for entry in catalogue:
        wanted = sorted(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        for translated in [entry.msgstr] if not entry.msgid_plural else entry.msgstr_plural.values():
            assert sorted(PLACEHOLDER.findall(translated)) == wanted, entry.msgid


def test_a_translation_keeps_the_breaks_at_its_ends(catalogue: polib.POFile) -> None:
    for entry in catalogue:
        ends = [len(text) - len(text.rstrip("\n")) for text in (entry.msgid, entry.msgstr or entry.msgid)]
        assert ends[0] == ends[1], entry.msgid


def test_the_compiled_catalogue_is_the_written_one(catalogue: polib.POFile) -> None:
    compiled = polib.mofile(str(FOLDER / "django.mo"))
    assert {(e.msgid, e.msgstr, *e.msgstr_plural.values()) for e in compiled} == {
        (e.msgid, e.msgstr, *e.msgstr_plural.values()) for e in catalogue
    }
