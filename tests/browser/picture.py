"""The README's picture: the product at 1440 x 900, light, in English, with a conversation and a list to look at.

`python -m tests.browser.picture docs/img/chat.png`; starts an installation of its own. The answer is written by the simulator,
whose demo text explains the page; the list beside it is made up.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.conftest import chromium
from tests.processes import Site

MAKE = """
import datetime as dt
from django.utils import timezone
from accounts.models import Organisation, User
from chat.models import Conversation
from providers.models import LanguageModel
Organisation.objects.update_or_create(pk=1, defaults={"name": "Pine & Partners"})
LanguageModel.objects.filter(slug="demo").update(name="Balanced", description="Quick and good at most things")
user, now = User.objects.get(email=given), timezone.now()
User.objects.filter(pk=user.pk).update(name="Ada Lang")
hours = {"Minutes of the project meeting": 1, "Why the nightly import fails": 2, "Offer to the Lindner company, in English": 26,
    "Holiday rota for August": 28, "Regex for order numbers": 30, "Slides: what changed this quarter": 80,
    "Terms of the new lease": 100, "A shorter reply to support": 120, "Names for the canteen": 400, "合同第 4 条的翻译": 420}
for title, ago in hours.items():
    Conversation.objects.create(user=user, title=title, title_state="done", updated_at=now - dt.timedelta(hours=ago))
"""


def main(out: Path) -> None:
    """Writes the picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Site(Path(folder))
        # Connected like any provider: what is pictured is the page of a site that is in use.
        ours = {"OPENAI_BASE_URL": site.environment["SIMULATOR_URL"], "OPENAI_API_KEY": "x", "OPENAI_MODELS": "demo"}
        site.environment |= ours | {"SIMULATOR": "0"}
        try:
            site.manage("collectstatic", "--noinput", "--verbosity", "0")
            site.start()
            person = site.people(1)[0]
            site.django(MAKE, person.email)
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", color_scheme="light")
            cookies = site.sign_in(person).items()
            context.add_cookies([{"name": name, "value": value, "url": site.url()} for name, value in cookies])
            page = context.new_page()
            page.goto(site.url())
            page.get_by_role("textbox", name="Your question").fill("Show me what you can do")
            page.keyboard.press("Enter")
            page.get_by_role("button", name="Copy the answer").wait_for(timeout=60_000)
            page.wait_for_timeout(3_000)  # the title
            page.mouse.move(1_200, 300)
            page.screenshot(path=str(out))
            browser.close()
        finally:
            site.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
