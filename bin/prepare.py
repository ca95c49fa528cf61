"""Makes `.venv` what the locked requirements say, and knows when nothing is to be done.

Standard library only: it runs before anything is installed. Starts no part of the product and touches no database.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
APPS = ("accounts", "providers", "usage", "chat", "api", "portal")
# bin/python prefers `.venv`'s own Python, so this is the version that `.venv` has or will have.
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
NO_WAY = ["NewConnectionError", "ConnectTimeout", "ReadTimeout", "Temporary failure", "Name or service", "ProxyError"]
NO_WAY += ["SSLError", "SSL:", "Connection refused", "Could not fetch URL", "No matching distribution found"]
Command = list[str | Path]


class Stop(Exception):
    """The start can't go on. The text is one line and names the command that mends it."""


def say(text: str) -> None:
    """One line to the person at the terminal, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def settings() -> dict[str, str]:
    """The environment over `.env` (`NAME=value` lines, quotes optional), as portal/settings.py reads them."""
    values: dict[str, str] = {}
    file = ROOT / ".env"
    if file.is_file() and not os.environ.get("IGNORE_DOTENV"):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, equals, value = line.strip().removeprefix("export ").partition("=")
            if equals and not name.startswith("#"):
                values[name.strip()] = unquoted(value.strip())
    return values | os.environ


def unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def digest(files: Iterable[Path], *, words: Iterable[str] = ()) -> str:
    """SHA-256 over the names and contents of `files` and over `words`."""
    total = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "-"
        total.update(f"{file.relative_to(ROOT)}={content}\n".encode())
    for word in words:
        total.update(f"{word}\n".encode())
    return total.hexdigest()


def code() -> list[Path]:
    """The files whose change means that the product is another one than at the last start."""
    files = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    return [*files, ROOT / "requirements.txt", ROOT / "manage.py"]


def environment(*, dev: bool = False) -> bool:
    """Makes `.venv` and installs what is missing; True when it had to. Raises Stop with the way to mend it."""
    locks = [ROOT / "requirements.txt", *([ROOT / "requirements-dev.txt"] if dev else [])]
    if all(fits(lock) for lock in locks):
        return False
    with alone():  # two starts at once: the second finds it done
        if not works():
            make()
        todo = [lock for lock in locks if not fits(lock)]
        for lock in todo:
            install(lock)
            stamp(lock).write_text(wanted(lock))
        return bool(todo)


def stamp(lock: Path) -> Path:
    return VENV / f".installed-{lock.stem}"


def fits(lock: Path) -> bool:
    kept = stamp(lock)
    return PYTHON.exists() and kept.is_file() and kept.read_text() == wanted(lock)


def wanted(lock: Path) -> str:
    return digest([lock], words=[VERSION])


def works() -> bool:
    """Whether `.venv` holds a Python that starts and has pip: not after a move or an upgrade of the system's Python."""
    question = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return (
        PYTHON.exists() and subprocess.run([PYTHON, "-c", question], capture_output=True, check=False).returncode == 0
    )


@contextmanager
def alone() -> Iterator[None]:
    """Holds the checkout's own lock, which ends with this process."""
    handle = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def make() -> None:
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        raise Stop(f"This Python can't make a virtual environment: sudo apt install python{VERSION}-venv")
    say("Making .venv …")
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = last_line(done.stderr or done.stdout)
        raise Stop(f"Can't make .venv ({reason}): sudo apt install python{VERSION}-venv, or check the disk: df -h .")


def install(lock: Path) -> None:
    """pip with hashes, quiet but for a line every five seconds."""
    command: Command = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--progress-bar",
        "off",
        "--require-hashes",
    ]
    # pip's own patience (five retries of 15 s) is too long to tell somebody that there is no network.
    patience = {"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "15", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    began = time.monotonic()
    say(f"Installing {lock.name} …")
    with tempfile.TemporaryFile("w+") as output:
        pip = subprocess.Popen([*command, "-r", lock], env=patience | settings(), stdout=output, stderr=output)
        while pip.poll() is None:
            try:
                pip.wait(timeout=5)
            except subprocess.TimeoutExpired:
                say(f"  still installing, {time.monotonic() - began:.0f} s")
            except KeyboardInterrupt:
                pip.kill()
                raise
        output.seek(0)
        text = output.read()
    if pip.returncode:
        raise Stop(why_pip_failed(text, lock=lock))
    say(f"Installed {lock.name} in {time.monotonic() - began:.0f} s")


def why_pip_failed(output: str, *, lock: Path) -> str:
    if "DO NOT MATCH THE HASHES" in output:
        return (
            f"A package differs from {lock.name}, nothing was installed: PIP_INDEX_URL=https://pypi.org/simple bin/run"
        )
    if "No space left" in output:
        return "The disk is full: df -h . shows it; then bin/run again"
    if any(sign in output for sign in NO_WAY):
        index = settings().get("PIP_INDEX_URL", "https://pypi.org/simple")
        host = index.rsplit("@", maxsplit=1)[-1]  # a mirror's address may carry a password
        return f"No way to the package index {host}: PIP_INDEX_URL=https://your.mirror/simple bin/run"
    return (
        f"pip failed ({last_line(output)}): .venv/bin/python -m pip install --require-hashes -r {lock.name} says more"
    )


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no word"
