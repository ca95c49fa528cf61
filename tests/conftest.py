"""What every test gets: no way out of this machine or for a secret, and a clear word about what the machine lacks.

Markers: `services("postgres", "redis", "amqp")` (without names: all three), `browser`, `chaos`. What is missing skips
such a test; under NO_SKIPS=1 any skip is a failure. Fixtures of single rooms stand beside their tests.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.apps import apps
from django.utils import translation

from tests import audit_guard, canaries, egress

if apps.ready:  # not where a test starts a small suite of its own without Django
    from tests import canary_watch

NO_SKIPS = os.environ.get("NO_SKIPS") == "1"
SERVICES = {
    "postgres": os.environ.get("TEST_POSTGRES_URL", "postgres://root@127.0.0.1:5432/test"),
    "redis": os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15"),
    "amqp": os.environ.get("TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

egress.install()
if apps.ready:
    canary_watch.install()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Runs before the test database is made: what its guard over the audit trail must let tests do."""
    audit_guard.let_tests_empty_the_database()


@pytest.fixture(autouse=True)
def stay_on_this_machine() -> Iterator[None]:
    """Fails a test whose code swallowed the refusal; what was tried between two tests fails the next one."""
    if tried := egress.told():
        pytest.fail("before this test a way out of this machine was tried: " + "; ".join(tried), pytrace=False)
    yield
    if tried := egress.told():
        pytest.fail("a way out of this machine was tried: " + "; ".join(tried), pytrace=False)


@pytest.fixture(autouse=True)
def speak_the_default_language() -> Iterator[None]:
    """A request of the test client leaves its language behind in this thread; the next test begins without it."""
    yield
    if apps.ready:
        translation.deactivate()


@pytest.fixture(autouse=True)
def let_no_secret_out() -> Iterator[None]:
    """Fails a test in which a secret stands where it may not: see tests.canaries."""
    canaries.begin()
    if apps.ready:
        canary_watch.begin()
    yield
    if leaks := canaries.kept.leaks():
        pytest.fail(canaries.told(leaks), pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was tried after the last test has no test to fail."""
    if tried := egress.told():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        sys.stderr.write(f"\nafter the last test a way out of this machine was tried: {'; '.join(tried)}\n")


@functools.cache
def why_not(service: str) -> str:
    """Why a service can't be used here; empty if it can."""
    url = SERVICES[service]
    if service == "postgres":
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return f"PostgreSQL is not reachable (TEST_POSTGRES_URL): {str(error).splitlines()[0]}"
        return ""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=2).close()
    except OSError as error:
        return f"{service} is not reachable (TEST_{service.upper()}_URL): {error}"
    return ""


@functools.cache
def chromium() -> str:
    """The browser's path: CHROMIUM, the system's, or Playwright's own; empty when there is none."""
    named = [os.environ.get("CHROMIUM", ""), *(shutil.which(name) or "" for name in BROWSERS)]
    cached = (Path.home() / ".cache" / "ms-playwright").glob("chromium-*/chrome-linux*/chrome")
    return next((path for path in [*named, *map(str, cached)] if path and Path(path).is_file()), "")


def pytest_runtest_setup(item: pytest.Item) -> None:
    services = item.get_closest_marker("services")
    for service in (services.args or SERVICES) if services else ():
        if reason := why_not(service):
            pytest.skip(reason)
    if item.get_closest_marker("browser") and not chromium():
        pytest.skip("no Chromium: apt install chromium, or CHROMIUM=/path/to/it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"NO_SKIPS=1, but this was skipped: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if NO_SKIPS and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"NO_SKIPS=1, but this module was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def postgres_url() -> str:
    return SERVICES["postgres"]


@pytest.fixture(scope="session")
def redis_url() -> str:
    return SERVICES["redis"]


@pytest.fixture(scope="session")
def amqp_url() -> str:
    return SERVICES["amqp"]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """For Playwright's `executable_path`; the marker `browser` has made sure that it exists."""
    return chromium()
