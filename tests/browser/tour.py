"""Every page of the product, by name, with somebody signed in where it needs that: for screenshots and for axe. Judges nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import (
    tour_calls,
    tour_company,
    tour_keys,
    tour_money,
    tour_months,
    tour_people,
    tour_privacy,
    tour_sign_in,
)
from tests.processes import PASSWORD, Person, Site

Theme = Literal["light", "dark"]
LANGUAGES = ("en", "zh-hans")
SIZES = ((1440, 900), (390, 844))
THEMES: tuple[Theme, ...] = ("light", "dark")
DEBUG_WEB = 1
"""The number of the web process that runs with DEBUG and with mail: only it has /look/."""

QUESTIONS = {"en": "What can I do here?", "zh-hans": "这里可以做什么？"}
# Pages for which nobody may be signed in; the others are seen by a person, those under /setup/ by the administrator.
DOORS = {"sign-in", "forgotten", "forgotten-mail", "choose-password", "link-over"}
STATUSES = {"not-found": 404, "forbidden": 403}
FIND = """
import datetime as dt
from django.utils import timezone
from providers.models import LanguageModel, Provider
from accounts.models import Announcement
late = timezone.now() + dt.timedelta(days=1)
# Of yesterday: the pages of the chat are shown without it.
then = {"starts_at": late - dt.timedelta(days=3), "ends_at": late - dt.timedelta(days=2)}
old = Announcement.objects.create(text="The portal is updated on Friday at six.", **then)
answer = [str(Provider.objects.first().uuid), str(LanguageModel.objects.get(slug="demo").uuid), str(old.uuid)]
"""
BIN = """
import datetime as dt
from django.utils import timezone
from accounts.models import User
from chat.models import Conversation
email, titles = given
user, now = User.objects.get(email=email), timezone.now()
for days, title in enumerate(titles):
    Conversation.objects.create(user=user, title=title, updated_at=now, deleted_at=now - dt.timedelta(days=13 * days))
answer = None
"""
BINNED = {"en": ["Notes of Monday", "Which cables fit", ""], "zh-hans": ["周一会议纪要", "哪种线合适", ""]}
MAKE_LINK = """
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse
from accounts.models import User
user = User.objects.get(email=given)
key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
answer = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"}).replace("UID-KEY", key)
"""


@dataclass
class Tour:
    """A site with a person of each language who has asked something, and the administrator."""

    site: Site
    people: dict[str, Person] = field(default_factory=dict)
    cookies: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    conversations: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    made: dict[str, dict[str, str]] = field(default_factory=dict)
    """By language what tests.browser.tour_sign_in made."""
    provider: str = ""
    model: str = ""
    announcement: str = ""
    admin: Person = field(default_factory=lambda: Person("admin@example.com", "", PASSWORD))

    def prepare(self) -> Tour:
        """Asks a question in each language, and starts the web process with /look/."""
        # There mail is set up, too, and nobody takes it.
        extra = {"DEBUG": "1", "EMAIL_URL": "smtp://127.0.0.1:9"}
        self.site.environment |= extra
        self.site.start_web(DEBUG_WEB)
        for name in extra:
            del self.site.environment[name]
        self.provider, self.model, self.announcement = self.site.django(FIND)
        self.people = dict(zip(LANGUAGES, self.site.people(len(LANGUAGES)), strict=True))
        asked = []
        for language, person in self.people.items():
            caller = self.site.caller(person)
            self.site.django(BIN, [person.email, BINNED[language]])
            sent = caller.send(QUESTIONS[language], model="demo")
            asked.append((caller, sent))
            self.conversations[language], self.answers[language] = sent["conversation_id"], sent["message_id"]
            self.cookies["person", language] = caller.cookies
            self.cookies["admin", language] = self.site.sign_in(self.admin)
        for caller, sent in asked:
            caller.until_ended(sent)
        time.sleep(1)  # the title
        return self

    def pages(self, language: str) -> dict[str, str]:
        """The addresses by name."""
        home = self.site.url()
        chat = f"{home}/chat/{self.conversations[language]}/"
        link: str = self.site.django(MAKE_LINK, self.people[language].email)
        people = tour_people.pages(self, language)
        money = tour_money.pages(self, language)
        team = people["my-team-of"].rstrip("/").rpartition("/")[2]
        return (
            {
                "look": f"{self.site.url(DEBUG_WEB)}/look/",
                "empty": f"{home}/chat/",
                "chat": chat,
                "organise": f"{chat}organise/",
                "details": f"{home}/chat/messages/{self.answers[language]}/details/",
                "bin": f"{home}/chat/bin/",
                "bin-empty": f"{home}/chat/bin/",
                "settings": f"{home}/me/",
                "trail": f"{home}/me/trail/",
                "new-password": f"{home}/accounts/password/change/",
                "sign-out": f"{home}/accounts/logout/",
                "not-found": f"{home}/nothing/",
                "forbidden": f"{home}/setup/models/",
                "sign-in": f"{home}/accounts/login/",
                "forgotten": f"{home}/accounts/password/reset/",
                "forgotten-mail": f"{self.site.url(DEBUG_WEB)}/accounts/password/reset/",
                "choose-password": home + link,
                "link-over": f"{home}/accounts/password/reset/key/1-set-password/",
                "setup": f"{home}/setup/",
                "setup-models": f"{home}/setup/models/",
                "setup-presets": f"{home}/setup/models/connect/",
                "setup-connect": f"{home}/setup/models/connect/openai/",
                "setup-provider": f"{home}/setup/models/provider/{self.provider}/",
                "setup-choose": f"{home}/setup/models/provider/{self.provider}/choose/",
                "setup-model": f"{home}/setup/models/{self.model}/",
                "setup-organisation": f"{home}/setup/organisation/",
                "setup-look": f"{home}/setup/look/",
                "setup-house-rules": f"{home}/setup/house-rules/",
                "setup-announcements": f"{home}/setup/announcements/",
                "setup-announcement": f"{home}/setup/announcements/{self.announcement}/",
                "setup-maintenance": f"{home}/setup/maintenance/",
                "setup-audit": f"{home}/setup/audit/",
                "setup-person": f"{home}/setup/people/new/",
            }
            | tour_sign_in.pages(self, language)
            | people
            | tour_company.pages(self, language)
            | tour_keys.pages(self, language)
            | money
            | tour_calls.pages(self, language, team=team)
            | tour_months.pages(self, language, team=team)
            | tour_privacy.pages(self, language)
        )

    def open(self, browser: Browser, name: str, *, url: str, language: str) -> Page:
        """The page in a profile of its own, in this language."""
        page = self.profile(browser, name, url=url, language=language).new_page()
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == (STATUSES | tour_sign_in.STATUSES | tour_people.STATUSES | tour_company.STATUSES).get(
            name, 200
        ), f"{name} was answered {answer.status}"
        return page

    def profile(self, browser: Browser, name: str, *, url: str, language: str) -> BrowserContext:
        """A browser profile in which whoever sees this page is signed in."""
        context = browser.new_context(locale="zh-CN" if language.startswith("zh") else "en-US")
        context.set_default_timeout(15_000)
        if name not in DOORS:
            who = (tour_sign_in.WHO | tour_people.WHO | tour_company.WHO | tour_keys.WHO | tour_privacy.WHO).get(
                name
            ) or ("admin" if name.startswith("setup") else "person")
            base = "/".join(url.split("/", 3)[:3])
            known = self.cookies[who, language].items()
            context.add_cookies([{"name": key, "value": value, "url": base} for key, value in known])
        return context
