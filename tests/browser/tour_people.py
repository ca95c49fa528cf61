"""The pages of people, teams, programs, invitations and registration for the tour, with a small firm to show. Judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.tour import Tour

# Seen by nobody who is signed in; and by the manager of a team.
WHO = {
    "invitation": "stranger",
    "invitation-over": "stranger",
    "registered": "stranger",
    "waits": "stranger",
    "registration": "stranger",
    "registration-over": "stranger",
    "confirm-registration": "stranger",
    "house-rules": "factor",
    "my-team": "person",
}
STATUSES = {"invitation-over": 404, "registration-over": 404}
PREPARE = """
import hashlib, datetime as dt
from django.utils import timezone
from accounts.models import Invitation, Membership, Organisation, Registration, Team, User
language, asker = given
zh = language != "en"
mark = "zh" if zh else "en"
def person(name, shown, **fields):
    made, _new = User.objects.get_or_create(email=f"{name}.{mark}@example.com",
        defaults={"name": shown, "password": "!", "language": language} | fields)
    return made
sales, _new = Team.objects.get_or_create(name="销售部" if zh else "Sales", defaults={"cost_centre": "4711"})
desk, _new = Team.objects.get_or_create(name="客服中心" if zh else "Help desk")
ada = person("li.na", "李娜" if zh else "Ada Lovelace", last_login=timezone.now())
bob = person("wang.wei", "王伟" if zh else "Bob Builder")
person("off", "陈静" if zh else "Carla Left", is_active=False, deactivated_at=timezone.now())
person("new", "赵敏" if zh else "Dora Waits", is_active=False, awaits_approval=True)
person("staff", "孙丽" if zh else "Eve Staff", is_staff=True)
program = person("report", "每晚报表" if zh else "Nightly report", is_service=True, owner=ada)
for user, team, role, pays in ((ada, sales, "manager", True), (bob, sales, "member", True), (ada, desk, "member", False)):
    Membership.objects.get_or_create(user=user, team=team, defaults={"role": role, "is_primary": pays})
Membership.objects.get_or_create(user=User.objects.get(email=asker), team=sales, defaults={"role": "manager"})
now, token = timezone.now(), f"tour-{mark}-{'x' * 32}"
states = {"open": {"digest": hashlib.sha256(token.encode()).hexdigest(), "name": "周杰" if zh else "Zoe Guest", "team": sales},
    "accepted": {"accepted_at": now, "user": bob}, "revoked": {"revoked_at": now}, "late": {"expires_at": now - dt.timedelta(days=2)}}
for name, fields in states.items():
    Invitation.objects.get_or_create(email=f"{name}.{mark}@example.com",
        defaults={"digest": f"{name}{mark}".ljust(64, "0"), "expires_at": now + dt.timedelta(days=7), "language": language} | fields)
rules = "No personal data of customers.\\nNo contracts."
Organisation.objects.update(open_domains="example.com", house_rules=rules)
# Those whose chat is shown have agreed; who has a second factor is still asked.
User.objects.filter(email__startswith="person").update(house_rules_read=hashlib.sha256(rules.encode()).hexdigest())
Registration.objects.get_or_create(email=f"registers.{mark}@example.com", defaults={"password": "!", "language": language,
    "digest": hashlib.sha256(f"{token}-r".encode()).hexdigest(), "expires_at": now + dt.timedelta(days=1)})
answer = {"person": str(ada.uuid), "program": str(program.uuid), "team": str(sales.uuid), "token": token}
"""


def pages(tour: Tour, language: str) -> dict[str, str]:
    """The addresses by name. Makes the firm at the first call of a language."""
    home = tour.site.url()
    made: dict[str, str] = tour.site.django(PREPARE, [language, tour.people[language].email])
    tour.cookies["stranger", language] = {}
    return {
        "setup-people": f"{home}/setup/people/",
        "setup-people-waiting": f"{home}/setup/people/?show=waiting",
        "setup-people-none": f"{home}/setup/people/?q=nobody",
        "setup-person-page": f"{home}/setup/people/{made['person']}/",
        "setup-person-leaves": f"{home}/setup/people/{made['person']}/deactivate/",
        "setup-invitations": f"{home}/setup/people/invitations/",
        "setup-invitations-mail": f"{tour.site.url(1)}/setup/people/invitations/",
        "setup-teams": f"{home}/setup/teams/",
        "setup-team": f"{home}/setup/teams/{made['team']}/",
        "setup-programs": f"{home}/setup/programs/",
        "setup-program": f"{home}/setup/programs/{made['program']}/",
        "my-team": f"{home}/me/team/",
        "invitation": f"{home}/accounts/invitation/{made['token']}/",
        "invitation-over": f"{home}/accounts/invitation/none/",
        "my-team-of": f"{home}/me/team/{made['team']}/",
        "my-team-desk": f"{home}/me/team/{made['team']}/desk/",
        "house-rules": f"{home}/chat/",
        "house-rules-page": f"{home}/me/house-rules/",
        "registration": f"{home}/accounts/signup/",
        "confirm-registration": f"{home}/accounts/signup/confirm/{made['token']}-r/",
        "registration-over": f"{home}/accounts/signup/confirm/none/",
        "registered": f"{home}/accounts/signup/done/",
        "waits": f"{home}/accounts/signup/waits/",
    }
