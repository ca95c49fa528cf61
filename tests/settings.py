"""The product's settings as tests see them: a data folder of their own, nothing from the developer's `.env` or keys.

Only what must be so before the settings are read stands here; a test changes single ones by pytest-django's fixture.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "DATA_DIR" not in os.environ:
    _data = tempfile.mkdtemp(prefix="portal-test-")
    atexit.register(shutil.rmtree, _data, ignore_errors=True)
    os.environ["DATA_DIR"] = _data
(Path(os.environ["DATA_DIR"]) / "static").mkdir(parents=True, exist_ok=True)  # else whitenoise warns that it is missing
os.environ["IGNORE_DOTENV"] = "1"
os.environ.setdefault("FIRST_LIMITS", "none")
for _name in list(os.environ):
    if _name.startswith(("OPENAI_", "ADMIN_", "SIMULATOR")) or _name in {"PUBLIC_URL", "CELERY_BROKER_URL", "DEBUG"}:
        del os.environ[_name]

if "TEST_DATABASE_URL" in os.environ:  # the same tests against another database: tests/test_postgres.py
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]

from portal.settings import *  # noqa: E402, F403 - all of them, read after the environment was cleaned
from portal.settings import DATA_DIR, DATABASES  # noqa: E402

# A file and not memory: each thread has a connection of its own, as in the product. Several runs at once do not meet.
_file = DATABASES["default"]["ENGINE"].endswith("sqlite3")
DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3") if _file else f"test_{os.getpid()}"}
if not _file:  # a test's data need not survive a power cut
    DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"

# A static file is looked for when it is asked for. Otherwise each test client goes through all of them: 31 ms of CPU.
WHITENOISE_AUTOREFRESH = True
