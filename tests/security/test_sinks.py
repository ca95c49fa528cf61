"""One corpus through every stored text, on every page that shows it, in a real browser: it stays words everywhere.

Nothing starts, nobody else is asked for anything, no element appears that is not ours, no policy has to step in.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Playwright, sync_playwright

from tests.browser.tour import Tour
from tests.processes import ROOT, Site
from tests.rendering.allowed import MATH, TEXT, faults
from tests.security import payloads, planting

HOLED = 2
"""The number of the web process whose templates have a hole."""
SKIPPED = {"look": "shows samples of its own, nothing that is stored"}
UNSEEN = {
    "accounts.SsoConnection.secret_tail": "four characters have no room for a mark",
    "accounts.AuditEvent.device": "told in our words: accounts.devices",
    "accounts.LoginSession.device": "told in our words: accounts.devices",
    "accounts.Registration.name": "on no page until the account is made, then it is a person's",
    "usage.LedgerEntry.provider_name": "no page of the ledger's providers yet",
    "accounts.RulesVersion.text": "the page of agreements tells versions apart by their beginning",
}
"""Planted fields that no page shows."""
OURS = frozenset(
    {
        "html", "head", "meta", "title", "link", "script", "body", "main", "header", "footer", "nav", "aside",
        "section", "article", "dl", "dt", "dd", "b", "i", "small", "u", "time", "caption", "tfoot", "form",
        "fieldset", "legend", "label", "input", "button", "select", "optgroup", "option", "textarea", "output",
        "details", "summary", "dialog", "template", "svg", "path", "rect", "line", "polygon",
        "polyline", "circle", "g", "text", "figure",
        "figcaption", "noscript", "datalist", "ins", "del", "bdi", "use", "symbol",
    }
)  # fmt: skip
TAGS = sorted(OURS | TEXT | MATH)
"""Of elements: those of our pages and of Django's own, and those of answers. A picture only of our own.

A style inside a tag is not looked for: scripts set some, and what stands in the markup the policy refuses, which is a fault.
"""
# Before any script of the page: what it refuses, and whether something of the corpus runs.
WATCH = """
window.seen = [];
window.pwned = (...all) => { window.seen.push("ran: " + all.join()); };
document.addEventListener("securitypolicyviolation", (e) => window.seen.push(`policy: ${e.violatedDirective} ${e.blockedURI}`));
"""
TREE = """([tags, mark]) => {
  const wrong = [...window.seen], ids = new Map();
  const walk = (root) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) walk(each.shadowRoot);
      if (each.content instanceof DocumentFragment) walk(each.content);
      const tag = each.localName, told = each.outerHTML.slice(0, 160);
      const ours = /^(\\/static\\/|\\/brand\\/[0-9a-f]{64}\\.png$|data:image\\/svg\\+xml;base64,)/;
      const picture = tag === "img" && ours.test(each.getAttribute("src"));
      if (!tags.includes(tag) && !picture) wrong.push("element: " + told);
      if (each.hasAttribute(mark)) wrong.push("markup: " + told);
      if (tag === "script" && !each.src && !/json/.test(each.type)) wrong.push("inline script: " + told);
      for (const { name, value } of each.attributes) {
        if (/^(on|srcdoc$|hx-on)/.test(name)) wrong.push(`attribute ${name}: ` + told);
        const file = each.hasAttribute("download") && value.startsWith("data:text/plain;");
        const leads = ["href", "src", "action", "formaction", "data", "xlink:href"].includes(name);
        const scheme = /^(javascript|vbscript|data):/i.test(value.replace(/[\\s\\0-\\x1f]/g, ""));
        if (leads && scheme && !file && !picture) wrong.push(`address ${name}: ` + told);
      }
      if (each.id) ids.set(each.id, (ids.get(each.id) ?? 0) + 1);
    }
  };
  walk(document);
  for (const [id, count] of ids) if (count > 1) wrong.push(`id ${id} stands ${count} times`);
  for (const name of ["getElementById", "querySelector", "body", "forms", "cookie", "head"]) {
    if (Object.hasOwn(document, name) || document.getElementsByName(name).length) wrong.push("clobbered: " + name);
  }
  // The copy buttons are the page's own: put there by its script.
  const bare = (block) => {
    const copy = block.cloneNode(true);
    for (const button of copy.querySelectorAll("button[data-copy]")) button.remove();
    for (const cells of copy.querySelectorAll("div.cells")) cells.replaceWith(...cells.childNodes);
    return copy.innerHTML;
  };
  return { wrong, blocks: [...document.querySelectorAll("article.a .block")].map(bare) };
}"""


@dataclass
class Look:
    """What one page did and holds."""

    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    html: str = ""


class Eye:
    """A page of one profile that looks at one address after the other; the network as Chromium's own log has it, refused requests too."""

    def __init__(self, context: BrowserContext) -> None:
        self.look, self.page = Look(), context.new_page()
        network = context.new_cdp_session(self.page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSent", lambda event: self.look.asked.append(event["request"]["url"]))
        self.page.on("dialog", self.dismissed)
        self.page.on("pageerror", lambda error: self.look.wrong.append(f"error: {error}"))
        self.page.add_init_script(WATCH)

    def dismissed(self, dialog: Dialog) -> None:
        self.look.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def at(self, url: str) -> Look:
        """Opens it, lets it settle, and judges."""
        self.look = look = Look()
        answer = self.page.goto(url, wait_until="load")
        self.page.wait_for_timeout(80)
        assert answer is not None
        if answer.status >= 500:
            look.wrong.append(f"answered {answer.status}")
        found = self.page.evaluate(TREE, [TAGS, payloads.MARK])
        home = "/".join(url.split("/", 3)[:3])
        look.wrong += found["wrong"]
        look.wrong += [f"in an answer: {fault}" for html in found["blocks"] for fault in faults(html)]
        look.wrong += [f"asked {each}" for each in look.asked if foreign(each, home=home)]
        look.html = self.page.content()
        return look


def foreign(url: str, *, home: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in {"data", "about", "blob"} and f"{parts.scheme}://{parts.netloc}" != home


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    site = Site(tmp_path_factory.mktemp("sinks"))
    try:
        yield Tour(site.start()).prepare()
    finally:
        site.stop()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium_path: str) -> Iterator[Browser]:
    found = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
    yield found
    found.close()


@pytest.fixture(scope="module")
def pages(tour: Tour) -> dict[str, str]:
    """Made before anything is planted: those that sign in by a form need their address."""
    tour.cookies["nobody", "en"] = {}
    made = {name: url for name, url in tour.pages("en").items() if name not in SKIPPED}
    admin: list[str] = tour.site.django(ADMIN)
    return made | {f"setup-admin {path}": tour.site.url() + path for path in admin}


# Django's own pages: every list, every empty form and one row of each.
ADMIN = """
from django.contrib import admin
from django.urls import reverse
answer = [reverse("admin:index")]
for model in admin.site._registry:
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    answer += [reverse(f"admin:{name}_changelist")]
    row = model._base_manager.first()
    answer += [reverse(f"admin:{name}_{page}", args=[row.pk]) for page in ("change", "history", "delete") if row]
"""
PLANT = """
from tests.security.planting import plant
plant(given[0], keep_email_of=given[1])
"""


def plant(tour: Tour, turn: int) -> None:
    tour.site.django(PLANT, [turn, [*(person.email for person in tour.people.values()), tour.admin.email]])


def test_every_text_that_is_kept_is_planted_or_says_why_not() -> None:
    assert planting.undeclared() == []
    fields = {f"{label}.{field.name}" for label, field in planting.text_fields()}
    assert {f"{label}.{name}" for label, names in planting.PLANTED.items() for name in names} <= fields
    assert set(planting.KEPT) <= {name.rpartition(".")[2] for name in fields}


@pytest.mark.browser
@pytest.mark.parametrize("turn", range(payloads.ROUNDS))
def test_nothing_that_is_stored_does_anything_on_any_page(
    tour: Tour, browser: Browser, pages: dict[str, str], turn: int
) -> None:
    plant(tour, turn)
    looks = look_at(tour, browser, pages)
    wrong = [f"{name}: {told}" for name, look in looks.items() for told in look.wrong]
    assert not wrong, "\n".join(dict.fromkeys(wrong))
    whole = "".join(look.html for look in looks.values())
    unseen = {field for mark, field in planting.marks().items() if mark not in whole}
    assert unseen == set(UNSEEN)


def look_at(tour: Tour, browser: Browser, pages: dict[str, str]) -> dict[str, Look]:
    """All of them, with one profile for each person who sees some."""
    eyes: dict[str, tuple[BrowserContext, Eye]] = {}
    looks = {}
    for name, url in pages.items():
        context = tour.profile(browser, name, url=url, language="en")
        who = str(sorted((cookie["name"], cookie["value"], cookie["domain"]) for cookie in context.cookies()))
        if who in eyes:
            context.close()
        else:
            eyes[who] = context, Eye(context)
        looks[name] = eyes[who][1].at(url)
    for context, _eye in eyes.values():
        context.close()
    return looks


@pytest.mark.browser
def test_a_planted_hole_in_a_template_is_seen(tour: Tour, browser: Browser, tmp_path: Path) -> None:
    """The policy stops most of it, and that it had to is a fault."""
    plant(tour, 0)
    site, templates = tour.site, tmp_path / "templates"
    shutil.copytree(ROOT / "templates", templates)
    holed = templates / "setup" / "teams.html"
    said = holed.read_text().replace("<b>{{ team.name }}</b>", "<b>{{ team.name|safe }}</b>")
    assert said != holed.read_text()
    holed.write_text(said)
    extra = {"HOLED_TEMPLATES": str(templates), "DJANGO_SETTINGS_MODULE": "tests.security.holed_settings"}
    before = dict(site.environment)
    site.environment |= extra
    try:
        site.start_web(HOLED)
    finally:
        site.environment = before
    url = f"{site.url(HOLED)}/setup/teams/"
    whole = "\n".join(look_at(tour, browser, {"setup-holed": url})["setup-holed"].wrong)
    assert "policy: " in whole
    assert f'markup: <base {payloads.MARK}=""' in whole
    assert "id main stands " in whole
    assert "clobbered: body" in whole


PLANTED: dict[str, tuple[str, str]] = {
    "a script": (f"<script {payloads.MARK}>pwned()</script>", "ran: "),
    "a handler": ("<img src=x onerror=pwned()>", "ran: "),
    "a dialog": ("<img src=x onerror=alert(1)>", "dialog: 1"),
    "a picture elsewhere": (f"<img src=//{payloads.FOREIGN}/1>", f"asked http://{payloads.FOREIGN}/1"),
    "an element": ("<object></object>", "element: <object"),
    "a base": ("<base href=/x/>", "element: <base"),
    "an id twice": ("<p id=main></p>", "id main stands 2 times"),
    "a clobbered name": ("<img name=getElementById>", "clobbered: getElementById"),
    "an address that is a script": ("<a href='java\tscript:pwned()'>x</a>", "address href"),
}


@pytest.mark.browser
@pytest.mark.parametrize("what", PLANTED)
def test_the_look_sees_each_planted_fault_where_no_policy_helps(browser: Browser, what: str) -> None:
    html, told = PLANTED[what]
    context = browser.new_context()

    def answer(route: Any) -> None:
        own = route.request.url == "http://page.test/"
        body = f"<!doctype html><title>x</title><main id=main>{html}</main>" if own else ""
        route.fulfill(status=200 if own else 404, body=body, content_type="text/html")

    context.route("**/*", answer)
    wrong = Eye(context).at("http://page.test/").wrong
    context.close()
    assert any(each.startswith(told) for each in wrong), wrong
