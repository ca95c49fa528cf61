"""What the start says of a disk that is slow to keep things."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def disk() -> ModuleType:
    spec = importlib.util.spec_from_file_location("disk", Path(__file__).parent.parent / "bin" / "disk.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_slow_disk_is_measured_within_a_second_and_said_with_what_it_means(
    disk: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _fd: time.sleep(0.1))
    began = time.monotonic()
    seconds = disk.commit_seconds(tmp_path)
    assert 0.1 <= seconds < 0.3
    assert time.monotonic() - began < 2
    said = disk.warning(0.1, folder=tmp_path)
    assert f"under {tmp_path} takes 100 ms" in said
    assert "about 10 questions a second" in said
    assert list(tmp_path.iterdir()) == []


def test_a_quick_disk_is_not_mentioned(disk: ModuleType, tmp_path: Path) -> None:
    assert disk.warning(0.004, folder=tmp_path) == ""
