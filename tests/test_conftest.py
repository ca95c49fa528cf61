"""The guards of the test suite itself: each is shown what it must refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent


def test_the_developers_keys_and_data_do_not_reach_the_tests() -> None:
    assert settings.OPENAI_API_KEY == ""
    assert Path(settings.DATA_DIR) != ROOT / "data"


@pytest.mark.parametrize(("no_skips", "code"), [("0", 0), ("1", 1)])
def test_a_skip_is_a_failure_only_under_no_skips(no_skips: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_skip.py").write_text("import pytest\ndef test_it():\n    pytest.skip('no browser')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {"NO_SKIPS": no_skips, "PATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout
