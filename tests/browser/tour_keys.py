"""The pages of API keys for the tour: with keys of each state, and the form for a program's key. Judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser import tour_sign_in

if TYPE_CHECKING:
    from tests.browser.tour import Tour

# Seen by somebody who has signed in a moment ago: both forms ask for that.
WHO = {"keys-roll": "fresh", "setup-keys-new": "fresh-desk"}
MAKE = """
import datetime as dt
from django.utils import timezone
from accounts import api_keys
from accounts.models import ApiKey, User
user = User.objects.get(email=given[0])
editor, night, old = given[1]
program, _ = User.objects.get_or_create(
    email="night@programs.invalid", defaults={"name": night, "is_service": True, "owner": user}
)
key, _secret = api_keys.make(user, name=editor, scopes=["chat", "models"])
ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now() - dt.timedelta(hours=3), last_address="192.0.2.7")
soon, _secret = api_keys.make(user, name=night, scopes=["usage"], allowed_ips=["10.1.0.0/16"])
api_keys.roll(soon, keep_hours=24, by=user)
over, _secret = api_keys.make(user, name=old, scopes=["chat"])
api_keys.revoke(over, by=user)
api_keys.make(program, name=night, scopes=["chat", "usage"], by=program.owner)
answer = [str(key.uuid), str(program.uuid)]
"""
NAMES = {
    "en": ["Editor on my laptop", "Nightly report", "Old script"],
    "zh-hans": ["笔记本上的编辑器", "每晚报告", "旧脚本"],
}


def pages(tour: Tour, language: str) -> dict[str, str]:
    """Addresses by name."""
    home = tour.site.url()
    key, program = tour.site.django(MAKE, [tour.people[language].email, NAMES[language]])
    fresh = tour.site.django(tour_sign_in.SIGN_IN, [tour.people[language].email, tour.admin.email])
    for who, session in zip(("fresh", "fresh-desk"), fresh, strict=True):
        tour.cookies[who, language] = {"sessionid": session}
    return {
        "keys": f"{home}/me/keys/",
        "keys-new": f"{home}/me/keys/new/",
        "reference": f"{home}/api/v1/docs/",
        "keys-roll": f"{home}/me/keys/{key}/roll/",
        "setup-keys": f"{home}/setup/keys/",
        "setup-keys-none": f"{home}/setup/keys/?q=nothing",
        "setup-keys-new": f"{home}/setup/keys/new/?for={program}",
    }
