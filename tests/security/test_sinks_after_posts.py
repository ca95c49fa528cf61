"""What a page repeats of a form that it refuses, or of an address; what a letter says; what a cell of a file holds: words, nothing else.

What is stored and shown later is test_sinks' business. Answers are made in this process, and looked at in a real browser with their
own headers.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from accounts import audit, clock, letters
from accounts.models import Organisation, Team
from providers.models import LanguageModel, ModelRoute, Price, Provider
from tests.processes import ROOT
from tests.security import database, payloads, repeated
from tests.security.callers import Asking, Caller
from tests.security.repeated import Shown
from tests.security.test_sinks import Eye
from tests.security.test_writable import filled
from tests.security.world import World
from tests.security.writes import Write
from tests.usage import making
from usage import invocations, quotas, rollups
from usage.models import Quota

pytestmark = [pytest.mark.django_db, pytest.mark.browser]
HTML = {"Content-Type": "text/html"}
MARK = "mf00d"
"""Before each payload: a page in which it stands repeats what it was given."""
ASKED = (
    "q",
    "next",
    "show",
    "for",
    "action",
    "who",
    "before",
    "after",
    "saved",
    "lang",
    "error",
    "state",
    "page",
    "process",
)
"""Parameters of addresses."""
LETTER_TAGS = frozenset({"table", "tbody", "tr", "td", "font"})
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    "\n=1",
    '=HYPERLINK("//evil.test",1)',
)
WRITER = "accounts/csv_file.py"
"""The only one that writes lines for spreadsheets."""
USERS = {
    "accounts/audit_export.py", "portal/desk.py", "portal/month_tables.py", "usage/call_export.py", "usage/limit_files.py",
    "usage/mine_views.py",
    "usage/price_files.py",
}  # fmt: skip
"""Whoever has it write: each is asked below for its cells."""


@pytest.fixture(scope="module")
def callers(world: World) -> dict[str, Caller]:
    return repeated.callers_of(world)


def attack(turn: int) -> str:
    """Several payloads that fit a short field, or one."""
    return f"{MARK} {payloads.SHORT[turn % len(payloads.SHORT)]}"


def bodies(write: Write, *, world: World, turn: int) -> Iterator[dict[str, Any]]:
    """All fields hostile; then one by one, the others as they should be."""
    own = {name: filled(value, world=world) for name, value in write.body.items()}
    names = list(own) or ["name", "q"]
    yield {name: attack(turn + place) for place, name in enumerate(names)}
    for place, name in enumerate(own):
        yield own | {name: attack(turn + place + 1)}


def pages(world: World, callers: dict[str, Caller]) -> Iterator[Shown]:
    """Every page that repeats something."""
    for turn, write in enumerate(repeated.forms()):
        for body in bodies(write, world=world, turn=turn):
            page = repeated.posted(write, body, world=world, caller=callers[write.who])
            if page and MARK in page.text:
                yield page
    for turn, (route, who) in enumerate(repeated.looked_at()):
        query = urlencode({name: attack(turn + place) for place, name in enumerate(ASKED)})
        path = world.path(route).partition("?")[0]
        answer = Asking().ask("GET", f"{path}?{query}", callers[who], HTTP_ACCEPT="text/html")
        page = repeated.shown(f"GET {route}", path, answer)
        if page and MARK in page.text:
            yield page


def judged(shown: list[Shown], *, chromium: str, more: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong with these; `more`: elements that are ours there."""
    allowed = tuple(f"element: <{tag}" for tag in more)
    with repeated.stage(chromium) as stage:
        eye = Eye(stage.context)
        found = [(page.name, eye.at(stage.put(page)).wrong) for page in shown]
    return [f"{name}: {told}" for name, wrong in found for told in wrong if not allowed or not told.startswith(allowed)]


def test_nothing_that_a_page_repeats_does_anything(
    world: World, callers: dict[str, Caller], chromium_path: str
) -> None:
    found = {(page.name, re.sub(r'value="\w{64}"', "", page.text)): page for page in pages(world, callers)}
    shown = list(found.values())
    repeating = {page.name for page in shown}
    assert {
        "POST setup/organisation/",
        "POST setup/models/connect/<slug:slug>/",
        "POST me/",
        "GET setup/people/",
    } <= repeating
    assert len(repeating) > 25, sorted(repeating)
    wrong = judged(shown, chromium=chromium_path)
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def test_a_page_that_repeats_carelessly_is_seen(chromium_path: str) -> None:
    text = f"<!doctype html><title>x</title><main id=main>{attack(0)}</main>"
    wrong = judged([Shown("planted", "/planted/", text, HTML)], chromium=chromium_path)
    assert any("markup: <img" in each for each in wrong)
    assert any(payloads.FOREIGN in each for each in wrong)


def test_letters_are_words(world: World, chromium_path: str) -> None:
    """Whatever people, teams and the organisation are called."""
    kinds = sorted({path.name.partition(".")[0] for path in (ROOT / "templates" / "mail").glob("*.subject.txt")})
    assert len(kinds) >= 8
    shown = []
    for turn in range(0, len(payloads.SHORT), 3):
        organisation = Organisation(name=attack(turn), contact=attack(turn + 1))
        user = SimpleNamespace(email=attack(turn + 2), name=attack(turn + 3), language="en")
        context = {
            "organisation": organisation, "user": user, "invited_by": attack(turn + 4), "email": attack(turn + 5), "by": attack(turn + 6),
            "notice": SimpleNamespace(kind="email_changed", by=attack(turn + 6), created_at=timezone.now()), "old": attack(turn),
            "what": attack(turn + 7), "zone": attack(turn + 8), "expires_at": timezone.now(), "days": 1,
            "url": f"{repeated.HOME}/accounts/link/x/",
        }  # fmt: skip
        for kind in kinds:
            letter = letters.compose(kind, language="en", context=context)
            assert "\n" not in letter.subject and "\r" not in letter.subject
            shown.append(Shown(f"{kind} {turn}", "/letter/", letter.html, HTML))
    assert all(MARK in page.text for page in shown)
    wrong = judged(shown, chromium=chromium_path, more=LETTER_TAGS)
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def test_every_writer_of_tables_is_known() -> None:
    assert having(r"csv\.(Dict)?[Ww]riter") == {WRITER}
    assert having(r"csv_file\.line\(") == USERS, "whoever writes CSV is asked below for its cells"


def having(pattern: str) -> set[str]:
    """The files of the product in which this stands."""
    rooms = ("accounts", "providers", "usage", "chat", "api", "portal")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    return {str(path.relative_to(ROOT)) for path in files if re.search(pattern, path.read_text(encoding="utf-8"))}


def test_no_cell_of_an_exported_trail_is_a_formula(world: World, callers: dict[str, Caller]) -> None:
    with database.undone():
        for place, formula in enumerate(FORMULAS):
            world.team.name = formula
            audit.record(
                "team.changed", actor=world.owner, target=world.team, changes={formula: [formula, f"{place}{formula}"]}
            )
        asked = Asking().ask("POST", "/setup/audit/export/", callers["administrator"], body="format=csv", keep=True)
        words_only(asked)


def test_no_cell_of_other_files_is_a_formula(world: World, callers: dict[str, Caller]) -> None:
    with database.undone():
        for place, formula in enumerate(FORMULAS):
            team = Team.objects.create(name=f"{formula}{place}")
            Quota.objects.create(
                scope="team", subject=team.uuid, subject_name=team.name, unit="tokens", period="day", amount=9
            )
            provider = Provider.objects.create(name=f"{formula}{place}", base_url="http://127.0.0.1:9/v1")
            model = LanguageModel.objects.create(slug=f"formula-{place}", name=f"{formula}{place}")
            ModelRoute.objects.create(model=model, provider=provider, upstream_name="demo")
            Price.objects.create(model=model, provider=provider)
            hold = making.reserve(making.hold(world.owner, model=model.uuid), now=clock.now())
            tally, call = rollups.Tally(), making.call(hold, now=clock.now(), model_name=model.name)
            quotas.settle([call], now=clock.now(), tally=tally)
            invocations.record([call], tally=tally)
        words_only(Asking().ask("POST", "/setup/calls/export/", callers["administrator"], keep=True))
        for path in (
            "/setup/limits/export/",
            "/setup/prices/export/",
            "/setup/desk/models.csv",
            f"/setup/months/{clock.now():%Y-%m}/models.csv",
        ):
            words_only(Asking().ask("GET", path, callers["administrator"], keep=True))
        words_only(Asking().ask("GET", "/me/usage/export/", callers["owner"], keep=True))


def words_only(answer: Any) -> None:
    """Every formula that was planted stands in this file, and none is one."""
    assert answer.status_code == 200, answer.content[:300]
    cells = [cell for line in csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))) for cell in line]
    assert sum("HYPERLINK" in cell for cell in cells) >= 1
    assert [
        cell for cell in cells if cell.lstrip(" \t\r\n'")[:1] in "=+@＝＋－＠" and cell[:1] != "'" and cell.strip()
    ] == []
    assert [cell for cell in cells if html.unescape(cell)[:1] in ("\t", "\r", "\n")] == []
