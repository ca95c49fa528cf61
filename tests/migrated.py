"""One migrated SQLite database for all installations of a test run: making one takes seconds, and tests need more than a hundred.

Kept in the folder for temporary files under a name made of every migration, so that changed ones make another. Nothing else knows it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "portal.sqlite3"


def fingerprint() -> str:
    """Of all migrations, ours and those of the libraries (by the lock), and of where this is."""
    files = [ROOT / "requirements.txt", *sorted(ROOT.glob("*/migrations/*.py"))]
    told = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return hashlib.sha256(told + str(ROOT).encode()).hexdigest()[:24]


def copy(data: Path, *, environment: dict[str, str]) -> None:
    """Puts the database into `data` where there is none yet; made now if nobody has. `environment` is an installation's."""
    wanted = data / NAME
    if wanted.exists() or "DATABASE_URL" in environment:
        return
    data.mkdir(parents=True, exist_ok=True)
    kept = Path(tempfile.gettempdir()) / f"portal-migrated-{os.getuid()}-{fingerprint()}"
    kept.mkdir(mode=0o700, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (kept / NAME).exists():
            _make(kept, environment=environment)
    shutil.copyfile(kept / NAME, wanted)


def _make(kept: Path, *, environment: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            env=environment | {"DATA_DIR": folder},
            cwd=ROOT,
            check=True,
            timeout=120,
        )
        whole = Path(folder) / NAME
        # The last one to leave has written the journal back; a copy of the file is then the whole database.
        assert not whole.with_name(f"{NAME}-wal").exists()
        shutil.copyfile(whole, kept / f"{NAME}.part")
        (kept / f"{NAME}.part").replace(kept / NAME)
