"""How soon the first page can be used: a cold browser profile, an installation of its own, collected files as `bin/run` serves them.

    python -m bench.first_page                     12 runs with 60 chats
    python -m bench.first_page --chats 10000 --runs 20

Prints one JSON line per run of the shared bench's `page.js` (BENCH names its folder) and the medians. Each run of the chat
follows one of a page without content, so that what the browser itself costs is seen beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from playwright._impl._driver import compute_driver_executable

from tests.processes import ROOT, Site

MANY = """
import datetime as dt
from django.utils import timezone
from accounts.models import User
from chat.models import Conversation
email, count = given
user, now = User.objects.get(email=email), timezone.now()
Conversation.objects.bulk_create(
    (Conversation(user=user, title=f"Conversation {n}", title_state="done", updated_at=now - dt.timedelta(hours=n))
     for n in range(count)), batch_size=1000)
"""
READY = "html.js #text"
"""The box is there and the page's script has run."""
FIGURES = ("usable_ms", "ttfb_ms", "fcp_ms", "dcl_ms", "load_ms", "requests", "wire_kB")


def measure(url: str, *, wait: str, cookies: dict[str, str], modules: Path) -> dict[str, Any]:
    """One cold load, by page.js."""
    node, cli = compute_driver_executable()
    (modules / "playwright-core").is_symlink() or (modules / "playwright-core").symlink_to(Path(cli).parent)
    bench = Path(os.environ.get("BENCH", ROOT.parent / "shared" / "bench"))
    words = [node, str(bench / "page.js"), "--url", url, "--wait", wait, "--runs", "1"]
    for name, value in cookies.items():
        words += ["--cookie", f"{name}={value}"]
    said = subprocess.run(
        words, check=True, capture_output=True, text=True, env=os.environ | {"NODE_PATH": str(modules)}, timeout=120
    )
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=60)
    parser.add_argument("--runs", type=int, default=12)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder) / "site")
        try:
            site.manage("collectstatic", "--noinput", "--verbosity", "0")
            site.start()
            person = site.people(1)[0]
            site.django(MANY, [person.email, given.chats])
            cookies = site.sign_in(person)
            rows: dict[str, list[dict[str, Any]]] = {"nothing": [], "first page": []}
            for _run in range(given.runs):
                for name, path, wait in (("nothing", "/health/live", "body"), ("first page", "/chat/", READY)):
                    row = measure(site.url() + path, wait=wait, cookies=cookies, modules=Path(folder))
                    rows[name].append(row)
                    print(name, json.dumps(row), flush=True)
        finally:
            site.stop()
    for name, found in rows.items():
        for figure in FIGURES:
            values = sorted(row[figure] for row in found if row[figure] is not None)
            if values:
                print(f"{name}: {figure} {values[0]} to {values[-1]}, median {statistics.median(values)}")


if __name__ == "__main__":
    main()
