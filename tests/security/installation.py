"""The life of a whole installation, with everything that it lets out and keeps: answers, letters, logs, files, the database, the queue.

Every secret on the way is noted (tests.canaries). Runs real processes (tests.processes); judges nothing.
"""

from __future__ import annotations

import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql

from tests.accounts.codes import code
from tests.canaries import Kept, unpacked
from tests.processes import PASSWORD, Caller, Person, Reply, Site
from tests.smtp_server import MailServer

FORM = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
PROVIDER_KEY, NEXT_KEY = "sk-canary-of-the-provider-4711", "sk-canary-of-the-next-key-4712"
COMPANY_SECRET = "canary-of-the-company-sign-in-4713"
ADMIN = Person("admin@example.com", "", PASSWORD)
NEW, NEWER = "a lantern over the harbour", "three herons at the weir"
OURS = {"data/static"}
"""Folders whose files are the product's own."""


class Recorder(Caller):
    """A browser without a screen whose every answer is noted, and every secret that it is given."""

    def __init__(self, base: str, *, kept: Kept) -> None:
        super().__init__(base)
        self.kept = kept

    def call(self, method: str, path: str, **words: Any) -> Reply:
        reply = super().call(method, path, **words)
        # Cookies are where sessions belong; everything else of an answer is read.
        head = "\n".join(f"{name}: {value}" for name, value in reply.headers.items() if name.lower() != "set-cookie")
        self.kept.out.append(
            (f"{method} {path.removeprefix(self.base)}", f"{head}\n{reply.body.decode(errors='replace')}")
        )
        self.note("session id", self.cookies.get("sessionid", ""))
        return reply

    def note(self, kind: str, secret: str) -> str:
        if secret:
            self.kept.secrets.setdefault(secret, kind)
        return secret

    def look(self, path: str) -> str:
        return self.call("GET", path, headers=FORM).text

    def fill(self, path: str, *, at: str = "", seen: str = "", **fields: Any) -> Reply:
        """The page's form, as a browser sends it; `at`: where the page with the form stands, if elsewhere; `seen`: that page."""
        found = TOKEN.search(seen or self.look(at or path))
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": found[1] if found else "", **fields}, doseq=True)
        return self.call("POST", path, body=body.encode(), headers=FORM)

    def sign_in_as(self, email: str, password: str) -> Reply:
        self.note("password", password)
        return self.fill("/accounts/login/", login=email, password=password)


@dataclass
class Story:
    """One installation and what is known of it."""

    site: Site
    mail: MailServer
    kept: Kept = field(default_factory=Kept)
    queue: list[str] = field(default_factory=list)
    """What went to the broker, where a server in between sees it."""

    def browser(self) -> Recorder:
        return Recorder(self.site.url(), kept=self.kept)

    def letter(self, email: str, number: int = 0) -> str:
        """The text of the letter of this number to this address, once it has come."""
        count = 0
        while count <= number:
            letters = [each for each in self.mail.box.letters if each["To"] == email]
            count = len(letters)
            if count <= number:
                self.mail.box.wait_for(len(self.mail.box.letters) + 1)
        return body_of(letters[number])

    def wait_for_the_bell(self) -> None:
        """Until a message to the queue lies in its folder, or was heard."""
        folder, end = Path(self.site.environment["DATA_DIR"]) / "broker", time.monotonic() + 20
        while not (self.queue or any(folder.glob("*.msg"))):
            assert time.monotonic() < end, "no bell was rung"
            time.sleep(0.05)

    # --- what it lets out and keeps ---
    def look_inside(self, when: str) -> None:
        """The database and every file as they are now, the queue so far."""
        self.kept.out += [(place, f"{text}\n{unpacked(text)}") for place, text in self._inside(when)]

    def _inside(self, when: str) -> Iterator[tuple[str, str]]:
        for path in sorted(self.site.folder.rglob("*")):
            name = str(path.relative_to(self.site.folder))
            if not path.is_file() or any(name.startswith(folder) for folder in OURS):
                continue
            try:
                text = path.read_bytes().decode("latin-1")
            except OSError:  # gone meanwhile: a message that was taken
                continue
            yield (f"database file {name} {when}" if "sqlite3" in name else f"file {name}", text)
        url = self.site.environment.get("DATABASE_URL", "")
        if url:
            yield from ((f"database table {table} {when}", text) for table, text in dump(url))
        yield "message to the queue", "\n".join(self.queue)

    def letters_let_out(self) -> None:
        for letter in self.mail.box.letters:
            self.kept.out.append(("letter", body_of(letter) + body_of(letter, kind="html")))
            self.kept.out.append(("subject of a letter", str(letter["Subject"])))


def body_of(letter: EmailMessage, *, kind: str = "plain") -> str:
    part = letter.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def dump(url: str) -> Iterator[tuple[str, str]]:
    """Every table of a PostgreSQL database as text."""
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
        for (name,) in names:
            with connection.cursor().copy(sql.SQL("copy {} to stdout").format(sql.Identifier(name))) as rows:
                yield name, b"".join(bytes(row) for row in rows).decode("latin-1")


def listen(url: str, into: list[str]) -> Callable[[], None]:
    """Writes down what every client says to this Redis; the answer ends it."""
    client = redis.Redis.from_url(url, socket_timeout=None)
    going = threading.Event()
    monitor = client.monitor()  # type: ignore[no-untyped-call]  # of the library
    monitor.__enter__()

    def work() -> None:
        try:
            while not going.is_set():
                into.append(str(monitor.next_command()))
        except (OSError, redis.RedisError, ValueError):  # the connection was closed below
            return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def end() -> None:
        going.set()
        client.ping()  # so that there is something to hear
        thread.join(5)
        client.close()

    return end


def live(story: Story) -> None:
    """All of it, in an order in which each step finds what it needs."""
    _know_the_installation(story)
    admin = story.browser()
    admin.sign_in_as(ADMIN.email, ADMIN.password)
    _connect(story, admin)
    uuid = _come_in(story, admin)
    _second_factor_and_address(story)
    _programs(story)
    _lost(story, admin, uuid=uuid)
    _ask(story)
    _export(story, admin)
    story.letters_let_out()
    story.look_inside("at the end")


def _know_the_installation(story: Story) -> None:
    note = story.browser().note
    data = Path(story.site.environment["DATA_DIR"])
    note("SECRET_KEY", (data / "secret_key").read_text().strip())
    for each in (data / "jwt_keys").read_text().strip().split(","):
        note("signing key", each.partition(":")[2])
    note("database password", urllib.parse.urlsplit(story.site.environment.get("DATABASE_URL", "")).password or "")


def _connect(story: Story, admin: Recorder) -> None:
    """A provider with a key and a next one; the company's sign-in."""
    for secret in (PROVIDER_KEY, NEXT_KEY):
        admin.note("provider key", secret)
    admin.note("company secret", COMPANY_SECRET)
    address = f"http://127.0.0.1:{story.site.simulator_port}/v1"
    fields = {"name": "Own", "base_url": address, "max_concurrency": "5", "new_key": PROVIDER_KEY}
    made = admin.fill("/setup/models/connect/other/", **fields)
    assert made.status == 302, made.text
    page = headers(made)["location"].partition("?")[0]
    provider = "/setup/models/provider/" + page.removeprefix("/setup/models/provider/").partition("/")[0] + "/"
    # With a fault in the form: it comes back with what was typed.
    admin.fill("/setup/models/connect/other/", **(fields | {"base_url": "http://169.254.169.254/v1"}))
    admin.fill(f"{provider}test/", at=provider, model="demo")
    admin.fill(f"{provider}fetch/", at=provider)
    admin.fill(f"{provider}key/", at=provider, new_key=NEXT_KEY)
    admin.look(provider)
    # Nobody answers there: what the log says about it is read, too.
    moved = fields | {"base_url": "http://127.0.0.1:9/v1", "new_key": PROVIDER_KEY, "proxy": ""}
    admin.fill(f"{provider}address/", at=provider, **moved)
    admin.fill(f"{provider}test/", at=provider, model="demo")
    company = {"name": "Company", "server_url": "http://127.0.0.1:9", "client_id": "portal", "scopes": "openid"}
    answer = admin.fill("/setup/company-sign-in/new/oidc/", **company, new_secret=COMPANY_SECRET, group_claim="groups")
    assert "Company" in answer.text or answer.status == 302
    admin.look("/setup/company-sign-in/")


def headers(reply: Reply) -> dict[str, str]:
    return {name.lower(): value for name, value in reply.headers.items()}


def link_in(text: str, *, kind: str, caller: Recorder) -> str:
    """The local address of the link in a letter; its last part is the secret."""
    found = re.search(r"https?://[\w.:]+(/accounts/\S+/)", text)
    assert found, text
    caller.note(kind, found[1].rstrip("/").rpartition("/")[2])
    return found[1]


def _come_in(story: Story, admin: Recorder) -> str:
    """Two invitations, one of which is accepted, and an account with a one-time password. Returns the person's number."""
    for email in ("li@example.com", "never@example.com"):
        asked = admin.fill("/setup/people/invitations/", email=email, name="Li", days="7", role="member")
        assert asked.status in {200, 302}, asked.text
    guest = story.browser()
    link_in(story.letter("never@example.com"), kind="invitation link", caller=guest)
    link = link_in(story.letter("li@example.com"), kind="invitation link", caller=guest)
    guest.note("password", NEW)
    faulty = guest.fill(link, name="Li", password1=NEW, password2="something else")
    assert faulty.status == 200, faulty.text
    story.look_inside("with open invitations")
    assert guest.fill(link, name="Li", password1=NEW, password2=NEW).status == 302
    made = admin.fill("/setup/people/new/", email="once@example.com", name="Once")
    shown = re.search(r"once@example.com\n(\S+)</pre>", made.text)
    assert shown, made.text
    admin.note("one-time password", shown[1])
    found = re.search(r"/setup/people/([0-9a-f-]{36})/", admin.look("/setup/people/?q=li@example.com"))
    assert found
    return found[1]


def _second_factor_and_address(story: Story) -> None:
    """An app and codes, a sign-in with one of these, then another address."""
    person = story.browser()
    assert person.sign_in_as("li@example.com", NEW).status == 302
    page = person.look("/accounts/second-factor/app/")
    shown = re.search(r"<pre[^>]*>([A-Z2-7]{32})</pre>", page)
    assert shown
    secret = person.note("authenticator secret", shown[1])
    story.look_inside("while an app is set up")
    assert person.fill("/accounts/second-factor/app/", seen=page, code=code(secret)).status == 302
    codes = re.findall(r"\b\d{8}\b", person.look("/accounts/second-factor/codes/"))
    assert len(codes) >= 10
    for each in codes:
        person.note("recovery code", each)
    person.fill("/accounts/logout/")
    person.sign_in_as("li@example.com", NEW)
    story.look_inside("at the second step")
    assert person.fill("/accounts/code/", code=codes[3]).status == 302
    assert person.fill("/me/email/", email="li.na@example.com").status == 200
    link = link_in(story.letter("li.na@example.com"), kind="e-mail change link", caller=person)
    story.look_inside("while an address changes")
    assert person.fill(link).status == 200
    again = story.browser()
    again.sign_in_as("li.na@example.com", NEW)
    assert again.fill("/accounts/code/", code=codes[4]).status == 302
    for path in ("/me/", "/me/trail/", "/me/sign-ins/", "/me/notices/", "/accounts/second-factor/"):
        again.look(path)
    _key_on_the_page(again)
    _token_and_key(story, otp=codes[5])


def _key_on_the_page(person: Recorder) -> None:
    account = re.search(r'name="account"[^>]*value="([0-9a-f-]{36})"', person.look("/me/keys/new/"))
    fields: dict[str, Any] = {"name": "editor", "scopes": ["chat", "profile"], "expires": "30"} | (
        {"account": account[1]} if account else {}
    )
    shown = re.search(r"sk-\w{48}", person.fill("/me/keys/new/", **fields).text)
    assert shown
    secret = person.note("api key", shown[0])
    person.look("/me/keys/")
    bearer = {"Authorization": f"Bearer {secret}"}
    program = Recorder(person.base, kept=person.kept)
    assert program.get("/api/v1/me/", headers=bearer).status == 200
    assert program.get(f"/api/v1/me/?api_key={secret}").status == 400
    for wrong in (f"Basic {secret}", f"Bearer {secret}x", secret):
        assert program.get("/api/v1/me/", headers={"Authorization": wrong}).status == 401


def _token_and_key(story: Story, *, otp: str) -> None:
    """As a program signs in: a pair, the next one, the used one again, a key by the API, and the end."""
    program = story.browser()
    given = {"email": "li.na@example.com", "password": NEW, "otp": otp}
    pair = _pair(program, program.post("/api/v1/auth/token/", given))
    bearer = {"Authorization": f"Bearer {pair['access']}"}
    made = program.post("/api/v1/keys/", {"name": "script", "scopes": ["chat"]}, headers=bearer)
    assert made.status == 201, made.text
    program.note("api key", made.json()["key"])
    following = _pair(program, program.post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]}))
    assert program.post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]}).status in {401, 409}
    program.post("/api/v1/auth/token/", {"email": "li.na@example.com", "password": NEW, "otp": "12345678"})
    story.look_inside("with tokens")
    program.post("/api/v1/auth/token/revoke/", {"refresh": following["refresh"]})


def _pair(program: Recorder, reply: Reply) -> Any:
    assert reply.status == 200, reply.text
    pair = reply.json()
    program.note("access token", pair["access"])
    program.note("refresh token", pair["refresh"])
    return pair


def _programs(story: Story) -> None:
    """What monitors and strangers see."""
    stranger = story.browser()
    for path in (
        "/health/live",
        "/health/ready",
        "/nothing/",
        "/api/v1/nothing/",
        "/accounts/login/",
        "/static/nothing.js",
    ):
        stranger.look(path)
    stranger.call("POST", "/api/v1/auth/token/", body=b"{", headers={"Content-Type": "application/json"})


def _lost(story: Story, admin: Recorder, *, uuid: str) -> None:
    """A forgotten password by mail, a link by an administrator, a rescue on the server."""
    person = story.browser()
    person.fill("/accounts/password/reset/", email="once@example.com")
    link = link_in(story.letter("once@example.com"), kind="reset link", caller=person)
    onward = person.call("GET", link, headers=FORM)
    story.look_inside("while a password is chosen")
    chosen = {"password1": NEWER, "password2": NEWER}
    person.note("password", NEWER)
    assert person.fill(headers(onward)["location"], **chosen).status == 302
    made = admin.fill(f"/setup/people/{uuid}/link/", at=f"/setup/people/{uuid}/")
    shown = re.search(r"/accounts/link/([\w-]+)/", made.text)
    assert shown, made.text
    admin.note("one-time link", shown[1])
    said = story.site.manage("rescue", "once@example.com")
    story.kept.out.append(("command rescue", said))
    rescue = re.search(r"/accounts/link/([\w-]+)/", said)
    assert rescue
    person.note("one-time link", rescue[1])
    story.look_inside("with links")
    assert person.fill(f"/accounts/link/{rescue[1]}/").status == 302


def _ask(story: Story) -> None:
    """Without a worker at first, so that the bell stands in the queue for everybody to read; then it is answered."""
    person, (asker,) = story.browser(), story.site.people(1)
    person.sign_in_as(asker.email, asker.password)
    person.get("/chat/")
    sent = person.send("What can I do here?", model="demo")
    person.note("poll ticket", sent["poll_url"].partition("ticket=")[2].partition("&")[0])
    story.wait_for_the_bell()
    story.look_inside("while a bell waits")
    story.site.start_worker(0)
    assert person.until_ended(sent)["state"] == "done"
    person.look(f"/chat/{sent['conversation_id']}/")


def _export(story: Story, admin: Recorder) -> None:
    """The trail as files, and every page of the administration, Django's own included."""
    for kind in ("csv", "jsonl"):
        assert admin.fill("/setup/audit/export/", at="/setup/audit/", format=kind).status == 200
    pages = story.site.django(PAGES)
    for path in ("/setup/", "/setup/keys/", "/setup/mail/", "/setup/sign-in/", "/setup/company-sign-in/", *pages):
        admin.look(path)
    story.kept.out.append(("command verify_audit", story.site.manage("verify_audit")))


PAGES = """
from django.contrib import admin
from django.urls import reverse
answer = [reverse("admin:index")]
for model in admin.site._registry:
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    answer += [reverse(f"admin:{name}_changelist")]
    row = model._base_manager.first()
    answer += [reverse(f"admin:{name}_change", args=[row.pk])] if row else []
"""
