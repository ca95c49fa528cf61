"""How collected static files are named and served: made smaller, hashed, compressed, imports between our modules rewritten.

Our own scripts and styles lose comments and spacing on the way, nothing else: names stay, so that a stack trace reads
like the source. Files of other packages are left as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from re import Match
from typing import Any

import rcssmin
import rjsmin
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

SMALLER: dict[str, Callable[[str], str]] = {"js/": rjsmin.jsmin, "css/": rcssmin.cssmin}
"""By folder of static/: how its text is made smaller."""


class HashedStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """A missing file is an empty name in a page, not a broken page."""

    support_js_module_import_aggregation = True
    manifest_strict = False

    def post_process(self, paths: dict[str, tuple[Any, str]], **options: Any) -> Iterator[Any]:
        """As ever, from the smaller text of our own files."""
        smaller = {name: (Smaller(storage, name=name), path) for name, (storage, path) in paths.items()}
        found: Iterator[Any] = super().post_process(smaller, **options)
        return found

    def url_converter(self, name: str, hashed_files: dict[str, str], template: str | None = None) -> Callable[..., Any]:
        """Only our own modules import each other; htmx's extensions name files in comments that are not there."""
        if name.startswith("django_htmx/"):
            return unchanged
        converter: Callable[..., Any] = super().url_converter(name, hashed_files, template)
        return converter


class Smaller:
    """Where a file is read from while static files are collected."""

    def __init__(self, storage: Storage, *, name: str) -> None:
        self.storage = storage
        self.name = name

    def open(self, path: str) -> File[Any]:
        """The file, ours without comments and spacing."""
        opened = self.storage.open(path)
        shrink = next((way for folder, way in SMALLER.items() if self.name.startswith(folder)), None)
        if shrink is None:
            return opened
        with opened:
            return ContentFile(shrink(opened.read().decode()).encode(), name=path)


def unchanged(found: Match[str]) -> str:
    """The text as it stands."""
    return found[0]
