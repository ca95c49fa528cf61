"""The pages of privacy for the tour: rules with a hold, an open look, somebody to erase and a receipt. Judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser import tour_sign_in

if TYPE_CHECKING:
    from tests.browser.tour import Tour

# Seen by somebody who was given the right and has signed in a moment ago.
WHO = {
    "setup-openings": "holder",
    "setup-openings-one": "holder",
    "setup-openings-read": "holder",
    "setup-privacy": "holder",
    "setup-privacy-person": "holder",
    "setup-privacy-receipt": "holder",
}
MAKE = """
import datetime as dt, uuid
from django.utils import timezone
from accounts import openings
from accounts.models import Erasure, LegalHold, HeldPerson, Opening, Organisation, Team, User
from chat.models import Conversation
email, admin, name, why, case, gone = given
zh = why[0] > "z"
now = timezone.now()
person = User.objects.get(email=email)
holder, _ = User.objects.get_or_create(email="holder" + email, defaults={"name": name, "password": "!", "is_staff": True,
    "is_superuser": True, "language": person.language})
second, _ = User.objects.get_or_create(email="second" + email, defaults={"name": name, "password": "!", "is_staff": True})
User.objects.filter(pk__in=(holder.pk, second.pk)).update(may_open_chats=True)
Organisation.objects.update(retention_days=365)
span = {"since": now - dt.timedelta(days=30), "until": now + dt.timedelta(days=1), "minutes": 240, "reason": why}
look = Opening.objects.filter(reader=holder, person=person).first() or Opening.objects.create(reader=holder, person=person,
    asked_at=now, opened_at=now, ends_at=now + dt.timedelta(hours=4), tell_at=now, told_at=now, **span)
Opening.objects.get_or_create(reader=second, person=person, by_two=True, defaults={"asked_at": now, **span})
team = Team.objects.order_by("pk").first()
hold = LegalHold.objects.filter(reason=case).first() or LegalHold.objects.create(team=team, team_name=team.name if team else "",
    reason=case, set_at=now)
HeldPerson.objects.get_or_create(hold=hold, person=second)
left, _ = User.objects.get_or_create(email="left" + email, defaults={"name": gone, "password": "!", "is_active": False})
done, _ = Erasure.objects.get_or_create(person=uuid.uuid5(uuid.NAMESPACE_DNS, email), defaults={"by_name": name, "started_at": now,
    "finished_at": now, "planned": {"conversations": 214, "entries": 96, "calls": 97, "sign_ins": 12, "trail": 31, "account": 1},
    "erased": {"conversations": 214, "entries": 96, "calls": 97, "sign_ins": 12, "trail": 33, "account": 1}, "event": 4711,
    "event_hash": "3f" * 32})
chat = Conversation.objects.filter(user=person, deleted_at=None).first()
answer = {"look": str(look.uuid), "chat": str(chat.uuid), "left": str(left.uuid), "receipt": str(done.uuid), "holder": holder.email}
"""
WORDS = {
    "en": (
        "Grace Hopper",
        "The works council and we look for the leak of Monday.",
        "Case 4711: the tender of May",
        "Carla Left",
    ),
    "zh-hans": ("郭敏", "与工会商定，查找周一的泄露。", "4711 号案件：五月的招标", "陈静"),
}


def pages(tour: Tour, language: str) -> dict[str, str]:
    """Addresses by name."""
    home = tour.site.url()
    made: dict[str, str] = tour.site.django(MAKE, [tour.people[language].email, tour.admin.email, *WORDS[language]])
    (session,) = tour.site.django(tour_sign_in.SIGN_IN, [made["holder"]])
    tour.cookies["holder", language] = {"sessionid": session}
    look = f"{home}/setup/openings/{made['look']}/"
    return {
        "privacy": f"{home}/me/privacy/",
        "setup-privacy": f"{home}/setup/privacy/",
        "setup-privacy-person": f"{home}/setup/privacy/people/{made['left']}/",
        "setup-privacy-receipt": f"{home}/setup/privacy/erasures/{made['receipt']}/",
        "setup-openings": f"{home}/setup/openings/",
        "setup-openings-one": look,
        "setup-openings-read": f"{look}{made['chat']}/",
    }
