"""No secret of a whole installation stands where it may not: in no answer, log, letter, file, message or row, at no moment of its life."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.canaries import Kept
from tests.conftest import SERVICES
from tests.processes import Site
from tests.security import installation
from tests.security.installation import Story
from tests.smtp_server import MailServer

pytestmark = pytest.mark.chaos
MADE = {
    "SECRET_KEY", "signing key", "provider key", "company secret", "password", "session id", "invitation link", "authenticator secret",
    "recovery code", "e-mail change link", "api key", "access token", "refresh token", "reset link", "one-time link", "poll ticket",
    "one-time password",
}  # fmt: skip


@contextmanager
def postgres_with_a_password() -> Iterator[str]:
    """The address of an empty database, with a password in it that is to be found nowhere."""
    name, password = f"canary_{uuid.uuid4().hex[:10]}", f"canary-of-the-database-{uuid.uuid4().hex[:8]}"
    with psycopg.connect(SERVICES["postgres"], autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role {} login password {}").format(sql.Identifier(name), sql.Literal(password))
        )
        connection.execute(sql.SQL("create database {0} owner {0}").format(sql.Identifier(name)))
        parts = urlsplit(SERVICES["postgres"])
        try:
            yield parts._replace(
                netloc=f"{name}:{password}@{parts.hostname}:{parts.port or 5432}", path=f"/{name}"
            ).geturl()
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("servers", marks=pytest.mark.services("postgres", "redis"))]
)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """An installation that has lived; its worker comes last, so that the queue can be read."""
    folder: Path = tmp_path_factory.mktemp("installation")
    (folder / "tmp").mkdir()
    with ExitStack() as stack:
        mail = stack.enter_context(MailServer())
        settings = {"EMAIL_URL": mail.url, "TMPDIR": str(folder / "tmp"), "LOG_LEVEL": "INFO"}
        queue: list[str] = []
        if request.param == "servers":
            settings["DATABASE_URL"] = stack.enter_context(postgres_with_a_password())
            settings |= {"CELERY_BROKER_URL": SERVICES["redis"], "CELERY_QUEUE": folder.name}
            stack.callback(installation.listen(SERVICES["redis"], queue))
        site = Site(folder, settings=settings, workers=0)
        stack.callback(lambda: [part.end(signal.SIGKILL) for part in site.parts.values()])
        made = Story(site.start(), mail, queue=queue)
        installation.live(made)
        yield made


def test_none_stands_where_it_may_not(story: Story) -> None:
    assert set(story.kept.secrets.values()) - {"database password"} == MADE
    assert story.kept.leaks() == []


def test_everything_was_looked_at(story: Story) -> None:
    places = "\n".join(place for place, _text in story.kept.out)
    for part in ("file web0.log", "file worker0.log", "file simulator.jsonl", "letter", "database ", "command rescue"):
        assert part in places
    queued = [text for place, text in story.kept.out if place == "message to the queue" or "/broker/" in place]
    assert any("chat.generate" in text for text in queued), "the bell was read, too"
    assert len({place for place, _text in story.kept.out if place.startswith(("GET", "POST"))}) > 60


PLANT = """
from accounts.models import Team
Team.objects.create(name="planted", cost_centre=given)
"""


def test_a_leak_into_a_row_a_file_and_the_queue_is_found(story: Story) -> None:
    """Planted in the living installation; looked for as the rest is."""
    secret = next(secret for secret, kind in story.kept.secrets.items() if kind == "api key")
    story.site.django(PLANT, secret)
    (story.site.folder / "tmp" / "planted").write_text(f"key={secret}")
    planted = Story(story.site, story.mail, Kept(secrets={secret: "api key"}), queue=[*story.queue, secret])
    planted.look_inside("planted")
    found = planted.kept.leaks()
    assert any(leak.startswith("api key as itself in database ") for leak in found), found
    assert "api key as itself in file tmp/planted" in found
    assert "api key as itself in message to the queue" in found
