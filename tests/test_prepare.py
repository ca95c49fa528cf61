"""What bin/run says on a machine that lacks something: one line each, with the command that mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SYSTEM = "/usr/bin:/bin"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the two commands need of a fresh clone, without a `.venv`."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "bin", folder / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.txt", folder)
    return folder


def run(clone: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], "DATA_DIR": str(clone / "data"), "PORT": "0", **environment}
    command: list[str | Path] = [clone / "bin" / "run", *words]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=120)


def test_a_python_too_old_is_named_with_the_command_that_mends_it(clone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        (folder / name).write_text('#!/bin/sh\ncase "$2" in *exit*) exit 1 ;; esac\necho 3.9.2\n')
        (folder / name).chmod(0o755)
    for tool in ("sh", "dirname", "uname"):
        (folder / tool).symlink_to(shutil.which(tool, path=SYSTEM) or "")
    done = run(clone, PATH=str(folder))
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("Python 3.11 or newer is needed, found 3.9.2: ")


def test_a_python_without_venv_is_named_with_the_command_that_mends_it(clone: Path) -> None:
    # As Debian ships it: the standard library without ensurepip.
    (clone / "bin" / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'ensurepip' else find(name, *rest)\n"
    )
    done = run(clone, PYTHONPATH=str(clone / "bin"))
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert "can't make a virtual environment: sudo apt install python3." in line
    assert line.endswith("-venv")


def test_no_way_to_the_package_index_is_said_with_the_setting_for_a_mirror(clone: Path) -> None:
    done = run(clone, PIP_INDEX_URL="http://user:secret@127.0.0.1:9/simple", PIP_CONFIG_FILE="/dev/null")
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    mend = "PIP_INDEX_URL=https://your.mirror/simple bin/run"
    assert line == f"No way to the package index 127.0.0.1:9/simple: {mend}"
    assert "secret" not in done.stdout


def test_help_names_the_settings_and_starts_nothing(clone: Path) -> None:
    done = run(clone, "--help")
    assert done.returncode == 0
    assert {"PORT", "DATA_DIR", "PUBLIC_URL", "OPENAI_API_KEY", "ADMIN_EMAIL,", "DRAIN_S=30"} <= set(
        done.stdout.replace("=8000", "").replace("=data", "").split()
    )
    assert not (clone / ".venv").exists()
    assert not (clone / "data").exists()
