"""What the API adds to a web process: nothing heavy that it does not use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOADED = """
import sys
import portal.asgi
from django.urls import get_resolver
get_resolver().url_patterns
{planted}
print(" ".join(sorted({{m for m in ("requests", "coreapi", "django.contrib.postgres") if sys.modules.get(m)}})))
"""


def loaded(folder: Path, *, planted: str = "") -> list[str]:
    environment = os.environ | {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    command = [sys.executable, "-c", LOADED.format(planted=planted)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_rest_framework_brings_no_test_clients_and_no_postgresql_fields(tmp_path: Path) -> None:
    assert loaded(tmp_path) == []


def test_the_look_sees_a_planted_import(tmp_path: Path) -> None:
    assert loaded(tmp_path, planted="import requests") == ["requests"]
