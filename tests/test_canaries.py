"""The watch over secrets: each planted leak is seen in each of its clothes, and the places meant for a secret stay free."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from kombu import Connection

from accounts import api_keys, one_time_links
from accounts.models import OneTimeLink, User
from providers import keys
from tests import canaries

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-canary \"of <mine> & 'yours'/1"
log = logging.getLogger("tests.planted")
log.propagate = False  # a logger of its own hides nothing


@pytest.fixture(autouse=True)
def forgotten(let_no_secret_out: None) -> Iterator[None]:
    """The leaks here are meant."""
    yield
    canaries.begin()


CLOTHES = {
    "itself": KEY,
    "repr": repr(KEY),
    "HTML": "sk-canary &quot;of &lt;mine&gt; &amp; &#x27;yours&#x27;/1",
    "JSON": r"sk-canary \"of <mine> & 'yours'/1",
    "an address": "sk-canary%20%22of%20%3Cmine%3E%20%26%20%27yours%27%2F1",
    "hexadecimal": KEY.encode().hex(),
    "SHA-256": hashlib.sha256(KEY.encode()).hexdigest(),
    "base64 at 0": base64.b64encode(f"{KEY}:x".encode()).decode(),
    "base64 at 1": base64.b64encode(f"u:yz:{KEY}".encode()).decode(),
    "base64 at 2": base64.b64encode(f"u:{KEY}:x".encode()).decode(),
}


@pytest.mark.parametrize("name", CLOTHES)
def test_a_secret_is_found_in_other_clothes(name: str) -> None:
    canaries.made("provider key", KEY)
    canaries.let_out("log x", f"something {CLOTHES[name]} more")
    found = canaries.kept.leaks()
    assert len(found) == 1
    assert KEY not in found[0], "the finding itself tells nothing"


def test_a_text_without_it_is_no_leak() -> None:
    canaries.made("provider key", KEY)
    canaries.let_out("log x", f"something {KEY[:-4]} more, …{KEY[-4:]}")
    assert canaries.kept.leaks() == []


def test_log_records_are_read_whatever_becomes_of_them() -> None:
    keys.encrypt("sk-canary-of-the-log")
    log.warning("the key is %s", "sk-canary-of-the-log")
    try:
        int(settings.SECRET_KEY)  # its message repeats what was given
    except ValueError:
        log.exception("something failed")
    assert canaries.kept.leaks() == [
        "provider key as itself in log tests.planted",
        "SECRET_KEY as itself in log tests.planted",
    ]


def test_pages_and_their_headers_are_read(client: Client, db: None) -> None:
    root = User.objects.create_superuser("root@example.com")
    client.force_login(root)
    session = client.session.session_key
    secret = api_keys.make(root, name="editor", scopes=["chat"])[1]
    client.get(reverse("setup_accounts:people"))
    assert canaries.kept.leaks() == []
    client.get(reverse("setup_accounts:people"), {"q": secret})
    client.get(f"/accounts/login/?next=/{session}")
    kinds = {leak.partition(" as ")[0] for leak in canaries.kept.leaks()}
    assert kinds == {"api key", "session id"}


def test_letters_and_messages_to_the_queue_are_read(db: None) -> None:
    ada = User.objects.create_user("ada@example.com", None)
    link = one_time_links.make(ada, purpose=OneTimeLink.Purpose.PASSWORD)[1]
    secret = api_keys.make(ada, name="editor", scopes=["chat"])[1]
    EmailMultiAlternatives("A letter", f"Your link: {link}", None, ["ada@example.com"]).send()
    assert canaries.kept.leaks() == []
    letter = EmailMultiAlternatives(f"Your key {secret}", "text", None, ["ada@example.com"])
    letter.attach_alternative(f"<p>{secret}</p>", "text/html")
    letter.send()
    with Connection("memory://") as connection:
        connection.Producer().publish({"args": [ada.pk, {"link": link}]}, routing_key="planted")
    assert canaries.kept.leaks() == [
        "api key as itself in letter",
        "api key as itself in subject of a letter",
        "one-time link as itself in message to the queue",
    ]


def test_every_place_of_the_table_exists() -> None:
    uuid = "00000000-0000-4000-8000-000000000000"
    for _kind, where, _why in canaries.SHOWN:
        if not where.startswith(("GET", "POST", "(GET")):
            continue
        path = re.sub(r"^(\(GET\|POST\)|GET|POST) ", "", where).replace("[0-9a-f-]+", uuid)
        whole = re.sub(r"\(([^()|]*\|)*([^()|]*)\)\??", r"\2", path)
        try:
            resolve(whole)
        except Resolver404:
            pytest.fail(f"{where}: there is no {whole}")


PLANTED = """
from tests import canaries

def test_that_leaks():
    canaries.made("api key", "sk-something-long")
    canaries.let_out("GET /x/", "here: sk-something-long")

def test_that_does_not():
    canaries.let_out("GET /x/", "here: sk-something-long")
"""


def test_a_planted_leak_fails_the_test_that_made_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_planted.py").write_text(PLANTED)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {"PATH": "", "PYTHONPATH": str(ROOT), "COLUMNS": "250"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (
        "ERROR test_planted.py::test_that_leaks - Failed: a secret was let out: api key as itself in GET /x/"
        in done.stdout
    )
    assert "test_that_does_not" not in done.stdout


def test_what_is_signed_and_zipped_is_read() -> None:
    canaries.made("provider key", "sk-canary-of-the-session")
    zipped = signing.dumps({"key": "sk-canary-of-the-session", "more": ["x" * 40] * 9}, compress=True)
    canaries.let_out("database file x", canaries.unpacked(f"before {zipped} after"))
    assert canaries.kept.leaks() == ["provider key as itself in database file x"]


def test_the_database_may_hold_the_digest_of_a_key_and_nothing_else_may() -> None:
    canaries.made("api key", "sk-something-long")
    canaries.made("provider key", "sk-something-else")
    for place in ("database table keys", "file web0.log"):
        for secret in ("sk-something-long", "sk-something-else"):
            canaries.let_out(place, hashlib.sha256(secret.encode()).hexdigest())
    assert canaries.kept.leaks() == [
        "provider key as SHA-256 in database table keys",
        "api key as SHA-256 in file web0.log",
        "provider key as SHA-256 in file web0.log",
    ]


def test_a_short_code_is_found_where_it_stands_by_itself() -> None:
    canaries.kept.secrets["12345678"] = "recovery code"
    canaries.let_out("log x", "at 0123456789 with 9b12345678")
    assert canaries.kept.leaks() == []
    canaries.let_out("log y", "the code (12345678) was used")
    assert canaries.kept.leaks() == ["recovery code as itself in log y"]
