"""How collected static files are named and served: gathered, made smaller, hashed, compressed, imports between our modules rewritten.

A script that a page names takes in what it imports, a stylesheet likewise: six files instead of twenty-three are asked
for before the first page can be used. What a script loads later stays a file of its own. Our own files lose comments
and spacing on the way, nothing else: names stay, so that a stack trace reads like the source. Files of other packages
are left as they came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import Match
from typing import Any

import rcssmin
import rjsmin
from django.core.files.base import ContentFile, File
from whitenoise.storage import CompressedManifestStaticFilesStorage

Read = Callable[[str], str]
"""The text of one of our files, by its name."""

SMALLER: dict[str, Callable[[str], str]] = {"js/": rjsmin.jsmin, "css/": rcssmin.cssmin}
"""By folder of static/: how its text is made smaller."""

GATHERS = "js/app.js"
"""The script of the page; what it imports is part of it."""

PARTS = 'globalThis[Symbol.for("parts")]'
"""Where what the page's script holds is found by scripts that are loaded later; in the script itself it is called `$`."""
IMPORT = re.compile(r'^import (?:(?P<what>\{[^}]+\}|\* as \w+) from )?"\./(?P<file>[\w-]+\.js)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:(?:async )?function|class|const) (?P<name>\w+))", re.MULTILINE)
LEFT = re.compile(r"^(?:import|export)\b[^(].*", re.MULTILINE)
SHEET = re.compile(r'^@import "([\w-]+\.css)";$', re.MULTILINE)


class HashedStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """A missing file is an empty name in a page, not a broken page."""

    support_js_module_import_aggregation = True
    manifest_strict = False

    def post_process(self, paths: dict[str, tuple[Any, str]], **options: Any) -> Iterator[Any]:
        """As ever, from the gathered and smaller text of our own files."""

        def read(name: str) -> str:
            storage, path = paths[name]
            with storage.open(path) as opened:
                return str(opened.read().decode())

        gathered = imported(GATHERS, read=read) if GATHERS in paths else []
        ours = {
            name: (Ours(storage, name=name, read=read, gathered=gathered), at) for name, (storage, at) in paths.items()
        }
        found: Iterator[Any] = super().post_process(ours, **options)
        return found

    def url_converter(self, name: str, hashed_files: dict[str, str], template: str | None = None) -> Callable[..., Any]:
        """Only our own modules import each other; htmx's extensions name files in comments that are not there."""
        if name.startswith("django_htmx/"):
            return unchanged
        converter: Callable[..., Any] = super().url_converter(name, hashed_files, template)
        return converter


class Ours:
    """Where a file is read from while static files are collected."""

    def __init__(self, storage: Any, *, name: str, read: Read, gathered: list[str]) -> None:
        self.storage = storage
        self.name = name
        self.read = read
        self.gathered = gathered

    def open(self, path: str) -> File[Any]:
        """The file, ours gathered, without comments and spacing."""
        shrink = next((way for folder, way in SMALLER.items() if self.name.startswith(folder)), None)
        if shrink is None:
            opened: File[Any] = self.storage.open(path)
            return opened
        return ContentFile(shrink(self.text()).encode(), name=path)

    def text(self) -> str:
        """What is served in the file's place."""
        if self.name == GATHERS:
            parts = [f"const $ = {PARTS} = {{}};", *(part(name, read=self.read) for name in self.gathered)]
            return "\n".join([*parts, taking(self.read(GATHERS), name=GATHERS)])
        if self.name in self.gathered:
            return passed_on(self.name, names=exported(self.read(self.name)))
        if self.name.startswith("css/"):
            return SHEET.sub(lambda found: self.read(f"css/{found[1]}"), self.read(self.name))
        return self.read(self.name)


def imported(name: str, *, read: Read, above: tuple[str, ...] = ()) -> list[str]:
    """What a module imports, directly or not, each after what it needs itself. Raises ValueError for a circle."""
    found: list[str] = []
    for each in (f"js/{line['file']}" for line in IMPORT.finditer(read(name))):
        if each in above:
            raise ValueError(f"{name} and {each} import each other")
        found += [one for one in (*imported(each, read=read, above=(*above, name)), each) if one not in found]
    return found


def exported(text: str) -> list[str]:
    """The names that a module gives away."""
    return [found["name"] for found in EXPORT.finditer(text)]


def part(name: str, *, read: Read) -> str:
    """A module as a function's result: its own names stay its own."""
    text = read(name)
    inside = EXPORT.sub("", taking(text, name=name))
    return f"$.{stem(name)} = (() => {{\n{inside}\nreturn {{ {', '.join(exported(text))} }};\n}})();"


def taking(text: str, *, name: str) -> str:
    """The text with its imports taken from the parts. Raises ValueError for a kind of import or export that is not known here."""

    def take(found: Match[str]) -> str:
        where = f"$.{stem(found['file'])}"
        what = (found["what"] or "").removeprefix("* as ").replace(" as ", ": ")
        return f"const {what} = {where};" if what else ""

    changed = IMPORT.sub(take, text)
    if left := LEFT.search(EXPORT.sub("", changed)):
        raise ValueError(f"{name}: this line can't be gathered: {left[0]}")
    return changed


def passed_on(name: str, *, names: list[str]) -> str:
    """The module for scripts that are loaded later: the same things as in the page's script, not made a second time."""
    return f"export const {{ {', '.join(names)} }} = {PARTS}.{stem(name)};" if names else ""


def stem(name: str) -> str:
    """What a module is called among the parts."""
    return name.rpartition("/")[2].removesuffix(".js")


def unchanged(found: Match[str]) -> str:
    """The text as it stands."""
    return found[0]
