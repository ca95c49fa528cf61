"""`bin/test`: from a bare clone to a verdict, part by part, with the seconds each took.

Standard library only. Installs what the tests need, runs the parts and sums up; what a test needs from the machine (a
browser, database servers) is tests/conftest.py's to look for and .ci/run's to install.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

import prepare
from prepare import PYTHON, ROOT, Stop, say

HELP = """bin/test [part …]: installs what the tests need and runs them; without a part, all of them.

  lint       ruff, djade, mypy --strict, migrations, Django's deployment checks
  unit       everything that needs neither a browser nor servers nor started processes
  services   PostgreSQL, Redis and RabbitMQ, where reachable (TEST_POSTGRES_URL, TEST_REDIS_URL, TEST_AMQP_URL)
  browser    journeys in Chromium
  chaos      real web, worker and simulator processes, killed and starved

A part that can't run here says so; with NO_SKIPS=1 that is a failure. Arguments after -- go to pytest.
"""
# As many tests at once as there are cores, at least two (most of them wait) and no more than four (they share one disk).
AT_ONCE = str(max(2, min(4, os.cpu_count() or 2)))
# Browsers wait more than they work: one more. Their files run in the order of their names, which begins with the longest ones.
BROWSERS = str(int(AT_ONCE) + 1)
PYTEST = {
    "unit": ["-m", "not browser and not chaos and not services", "-n", AT_ONCE, "--timeout", "300"],
    "services": ["-m", "services and not chaos and not browser", "--timeout", "900"],
    "browser": ["-m", "browser", "-n", BROWSERS, "--dist", "loadfile", "--no-loadscope-reorder", "--timeout", "300"],
    "chaos": ["-m", "chaos and not browser", "-n", AT_ONCE, "--dist", "loadfile", "--timeout", "600"],
}
MOST_SECONDS = 1800
"""A part that hangs all the same is ended after so long: a verdict too late is none."""
PARTS = ("lint", *PYTEST)
NOTHING_COLLECTED = 5
# These run against the clock of a busy machine: at most so many failures are run once more, alone, and named in the summary.
TIMED = ("browser", "chaos")
ONCE_MORE = 3
# Like an installation behind a proxy with https, so that Django's deployment checks look at what matters there.
DEPLOYED = {
    "PUBLIC_URL": "https://chat.example.com",
    "TRUSTED_PROXIES": "127.0.0.1",
    "SECRET_KEY": "k" * 20 + "9x-Q_" * 8,
}


@dataclass(frozen=True)
class Verdict:
    """How one step ended."""

    name: str
    seconds: float
    word: str
    passed: int = 0
    skipped: int = 0

    @property
    def failed(self) -> bool:
        return self.word == "FAILED"


def main() -> int:
    words = sys.argv[1:]
    border = words.index("--") if "--" in words else len(words)
    wanted, extra = words[:border], words[border + 1 :]
    if "-h" in wanted or "--help" in wanted:
        say(HELP.rstrip())
        return 0
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        raise Stop(f"There is no part “{unknown[0]}”: bin/test {' '.join(PARTS)}")
    prepare.environment(dev=True)
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="portal-test-") as data:
        environment = os.environ | {"DATA_DIR": data, "IGNORE_DOTENV": "1", "PYTHONUNBUFFERED": "1"}
        for part in wanted or PARTS:
            if part == "lint":
                verdicts += lint(environment)
            else:
                verdicts.append(tests(part, environment=environment, extra=extra))
    return summary(verdicts)


def lint(environment: dict[str, str]) -> list[Verdict]:
    templates = [str(path) for app in ("templates", *prepare.APPS) for path in sorted((ROOT / app).rglob("*.html"))]
    manage: prepare.Command = [PYTHON, "manage.py"]
    deployed = environment | DEPLOYED
    tool = PYTHON.parent
    return [
        step("ruff check", [PYTHON, "-m", "ruff", "check", "."], environment=environment),
        step("ruff format", [PYTHON, "-m", "ruff", "format", "--check", "."], environment=environment),
        step("djade", [tool / "djade", "--check", "--target-version", "5.2", *templates], environment=environment),
        step("mypy --strict", [PYTHON, "-m", "mypy", "--strict"], environment=environment),
        step("migrations", [*manage, "makemigrations", "--check", "--dry-run"], environment=environment),
        step("deployment checks", [*manage, "check", "--deploy", "--fail-level", "WARNING"], environment=deployed),
    ]


def step(name: str, command: prepare.Command, *, environment: dict[str, str]) -> Verdict:
    say(f"\n== {name}")
    began = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    return Verdict(name, time.monotonic() - began, "FAILED" if code else "passed")


def tests(part: str, *, environment: dict[str, str], extra: list[str]) -> Verdict:
    """One pytest run. Its last line (“N passed …”) stays visible; skips are counted from it."""
    say(f"\n== {part}")
    began = time.monotonic()
    command: prepare.Command = [PYTHON, "-m", "pytest", "-q", *PYTEST[part], *extra]
    code, last = heard(command, environment=environment)
    late = 0
    if code and part in TIMED and 0 < counted(last, word="failed") <= ONCE_MORE and "error" not in last:
        late = counted(last, word="failed")
        say(f"\n== {part}: {late} failed; once more, alone")
        again = [
            PYTHON,
            "-m",
            "pytest",
            "-q",
            "-m",
            PYTEST[part][1],
            "--last-failed",
            "--last-failed-no-failures",
            "none",
            *PYTEST[part][-2:],  # the same limit for each test
        ]
        code, _last = heard(again, environment=environment)
    seconds = time.monotonic() - began
    passed, skipped = counted(last, word="passed"), counted(last, word="skipped")
    strict = environment.get("NO_SKIPS") == "1"
    if code == NOTHING_COLLECTED:
        return Verdict(part, seconds, "FAILED" if strict else "NOTHING RAN")
    word = (
        "FAILED"
        if code
        else f"{skipped} SKIPPED"
        if skipped
        else f"passed, {late} only the second time"
        if late
        else "passed"
    )
    return Verdict(part, seconds, word, passed, skipped)


def heard(command: prepare.Command, *, environment: dict[str, str]) -> tuple[int, str]:
    """Runs it, with its words passed on: its exit code and its last line. Ended with all its children after MOST_SECONDS."""
    last = ""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        limit = threading.Timer(MOST_SECONDS, os.killpg, (running.pid, signal.SIGKILL))
        limit.start()
        try:
            for line in running.stdout or ():
                say(line.rstrip("\n"))
                last = line.strip() or last
        except KeyboardInterrupt:
            os.killpg(running.pid, signal.SIGINT)
            raise
        finally:
            limit.cancel()
    return running.returncode, last


def counted(line: str, *, word: str) -> int:
    """12 from “12 passed, 3 skipped in 4.5s”."""
    found = re.search(rf"(\d+) {word}", line)
    return int(found[1]) if found else 0


def summary(verdicts: list[Verdict]) -> int:
    say("\n== Summary")
    for verdict in verdicts:
        count = f"{verdict.passed} passed" if verdict.passed else ""
        say(f"{verdict.name:20} {verdict.seconds:7.1f} s  {verdict.word:12} {count}".rstrip())
    if any("SKIPPED" in verdict.word or "NOTHING" in verdict.word for verdict in verdicts):
        say("!!! Some tests did NOT run: no browser, PostgreSQL, Redis or RabbitMQ here. .ci/run installs them.")
    failed = [verdict.name for verdict in verdicts if verdict.failed]
    total = f"{sum(v.passed for v in verdicts)} passed, {sum(v.skipped for v in verdicts)} skipped in all"
    say(f"FAILED: {', '.join(failed)} ({total})" if failed else f"Green: {total}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stop as stop:
        sys.stderr.write(f"{stop}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
