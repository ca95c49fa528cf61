"""What the first page weighs, and that nothing in it needs a looser policy than ours."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.files.storage import FileSystemStorage
from django.test import Client

from accounts.models import User
from portal import staticfiles
from portal.staticfiles import HashedStorage
from tests.chat.asking import asked

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def served(tmp_path: Path) -> dict[str, bytes]:
    """Our own files as they are served: through the storage that collects them."""
    source = FileSystemStorage(location=ROOT / "static")
    names = [str(file.relative_to(ROOT / "static")) for file in (ROOT / "static").rglob("*") if file.is_file()]
    storage = HashedStorage(location=str(tmp_path), base_url="/static/")
    for name in names:
        with source.open(name) as file:
            storage.save(name, file)
    for _name, _hashed, processed in storage.post_process({name: (source, name) for name in names}):
        if isinstance(processed, Exception):
            raise processed
    return {name: (tmp_path / storage.stored_name(name)).read_bytes() for name in names}


@pytest.mark.django_db
def test_the_first_page_weighs_little_and_loads_nothing_from_elsewhere(
    owner: User, page: Client, served: dict[str, bytes]
) -> None:
    for number in range(40):
        asked(owner, f"Talk {number}")
    shown = page.get("/chat/").content
    text = shown.decode()
    own = set(re.findall(r'(?:src|href)="/static/([^"]+)"', text))
    assert len(own) <= 6, "each file is a way to the server before the page can be used"
    scripts = {path: served[path] for path in own if path.endswith(".js")}
    sheets = {path: served[path] for path in own if path.endswith(".css")}
    rest = {path: Path(str(finders.find(path))).read_bytes() for path in own if not path.endswith((".css", ".js"))}
    assert sum(map(len, scripts.values())) < 40_000
    assert sum(map(len, sheets.values())) < 40_000
    files = [shown, *scripts.values(), *sheets.values(), *rest.values()]
    assert sum(map(len, files)) < 200_000
    assert sum(len(gzip.compress(file)) for file in files) < 70_000
    assert not re.findall(r'(?:src|href|action|srcset)="(?:https?:)?//', text)


def test_scripts_and_styles_are_served_without_comments_and_spacing_and_nothing_else_is_lost(
    served: dict[str, bytes],
) -> None:
    script, sheet = served["js/app.js"].decode(), served["css/chat.css"].decode()
    assert "// The entry" not in script
    assert re.search(r'import\("\./touch\.[0-9a-f]{12}\.js"\)', script)
    assert "/*" not in sheet
    assert "\n" not in sheet
    assert served["img/mark.svg"] == (ROOT / "static" / "img" / "mark.svg").read_bytes()


def test_the_pages_script_holds_what_it_imports_and_gives_the_same_things_to_what_is_loaded_later(
    served: dict[str, bytes],
) -> None:
    script = served["js/app.js"].decode()
    assert not re.search(r'\b(?:import|from)\s*"', script)
    for name, sign in (("net", "X-CSRFToken"), ("thread", "a[data-older]"), ("keys", "compositionend")):
        assert script.count(sign) == 1, name
    assert served["js/net.js"].decode() == (
        "export const{Refusal,token,post,renew,json,text,fragment,parsed,key,backoff,pause,insist}"
        '=globalThis[Symbol.for("parts")].net;'
    )
    later = served["js/rows.js"].decode()
    assert re.search(r'from\s*"\./net\.[0-9a-f]{12}\.js"', later)


def test_the_pages_sheet_holds_its_parts_in_order(served: dict[str, bytes]) -> None:
    parts = [served[f"css/{name}.css"].decode() for name in ("base", "chat", "answer", "side")]
    assert served["css/page.css"].decode() == "".join(parts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("export default 1;\n", "can't be gathered: export default 1;"),
        ('import "other/place.js";\n', "can't be gathered: import"),
        ('import { a } from "./app.js";\n', "import each other"),
    ],
)
def test_what_cannot_be_gathered_stops_the_collecting_with_its_line(text: str, words: str) -> None:
    files = {"js/app.js": 'import { one } from "./one.js";\n', "js/one.js": text}
    with pytest.raises(ValueError, match=re.escape(words)):
        names = staticfiles.imported("js/app.js", read=files.__getitem__)
        [staticfiles.part(name, read=files.__getitem__) for name in names]


def test_every_module_that_a_script_imports_is_there() -> None:
    for file in (ROOT / "static" / "js").glob("*.js"):
        for name in re.findall(r'from "(\./[^"]+)"', file.read_text()):
            assert (file.parent / name).is_file(), (file.name, name)


@pytest.mark.parametrize("file", sorted((ROOT / "templates").rglob("*.html")), ids=lambda file: file.name)
def test_no_template_has_inline_style_or_script(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert "<style" not in text
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert "javascript:" not in text


def test_scripts_use_no_eval_and_write_html_only_whole() -> None:
    for file in (ROOT / "static" / "js").glob("*.js"):
        text = file.read_text()
        assert not re.search(r"\beval\(|new Function|document\.write|insertAdjacentHTML|outerHTML|innerHTML \+=", text)
