"""The sealed file of a look: it proves by itself and by the audit trail, and every change shows."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import openings
from accounts.models import AuditEvent, Opening, User
from chat import opened
from tests.accounts.crowd import proved
from tests.chat import scene
from tests.chat.test_opened import SECRET, at, chat, reader, terms

__all__ = ["chat", "reader"]
pytestmark = pytest.mark.django_db


def sealed(opening: Opening, reader: User, folder: Path) -> Path:
    answer = proved(reader).post(at(opening, deed="export"))
    assert answer["Content-Type"] == "application/zip"
    path = folder / "sealed.zip"
    path.write_bytes(answer.content)
    return path


def test_a_sealed_file_proves_and_shows_every_change(ada: User, reader: User, chat: Any, tmp_path: Path) -> None:
    opening = openings.ask(ada, by=reader, **terms())
    path = sealed(opening, reader, tmp_path)
    assert opened.fault_of(str(path)) == ""
    with zipfile.ZipFile(path) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    assert any(SECRET.encode() in body for body in files.values())
    text = next(name for name in files if name.endswith(".md"))

    def fault(changed: dict[str, bytes]) -> str:
        other = tmp_path / "other.zip"
        with zipfile.ZipFile(other, "w") as packed:
            for name, body in changed.items():
                packed.writestr(name, body)
        return opened.fault_of(str(other))

    assert "was changed" in fault(files | {text: b"something else"})
    assert "added or taken away" in fault(files | {"more.md": b"x"})
    assert "added or taken away" in fault({name: body for name, body in files.items() if name != text})
    manifest = json.loads(files["manifest.json"])
    manifest["sha256"][text] = hashlib.sha256(b"forged").hexdigest()
    forged = files | {text: b"forged", "manifest.json": json.dumps(manifest).encode()}
    assert "another content" in fault(forged)
    seal = json.loads(files["seal.json"]) | {"event": 10**6}
    assert "knows no such export" in fault(files | {"seal.json": json.dumps(seal).encode()})
    assert "can't be read" in fault({"a": b"b"})
    call_command("verify_export", str(path))
    with pytest.raises(CommandError):
        call_command("verify_export", str(tmp_path / "other.zip"))


def test_a_file_that_is_full_says_that_there_is_more(ada: User, reader: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        scene.answered(ada, f"question {n}")
    monkeypatch.setattr(opened, "MOST_BYTES", 1_500)
    opening = openings.ask(ada, by=reader, **terms())
    parts, number = [], 1
    while True:
        part = opened.collect(opening, part=number)
        parts.append(part)
        if not part.more:
            break
        number += 1
    names = [name for part in parts for name, _body in part.files]
    assert (len(parts) > 1, len(names), len(set(names))) == (True, 6, 6)
    assert opened.collect(opening, part=99).files == []
    with zipfile.ZipFile(io.BytesIO(opened.seal(parts[0], event=AuditEvent.objects.first()))) as packed:  # type: ignore[arg-type]  # there is one
        assert json.loads(packed.read("manifest.json"))["more_parts"]
