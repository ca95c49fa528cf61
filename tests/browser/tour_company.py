"""The pages of the company sign-in for the tour, with two connections to show. Judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.tour import Tour

WHO = {"company-ask": "nobody", "company-refused": "nobody"}
STATUSES = {"company-refused": 400}
PREPARE = """
from allauth.socialaccount.models import SocialAccount
from accounts import sso_secrets
from accounts.models import SsoConnection, SsoTeam, Team, User
secret = sso_secrets.encrypt("a secret that nobody uses")
row, _ = SsoConnection.objects.get_or_create(slug="company", defaults={"kind": "oidc", "name": "Example SSO",
    "server_url": "https://sso.example.com/realms/company", "client_id": "chat-portal", "secret": secret,
    "secret_tail": "uses", "email_domains": "example.com\\nexample.org", "group_claim": "groups"})
team, _ = Team.objects.get_or_create(name="Research and development")
SsoTeam.objects.get_or_create(connection=row, group="/research", team=team)
wecom, _ = SsoConnection.objects.get_or_create(slug="wecom", defaults={"kind": "wecom", "name": "企业微信",
    "client_id": "ww0123456789abcdef", "agent_id": "1000002", "secret": secret, "is_enabled": False})
person = User.objects.get(email=given)
SocialAccount.objects.get_or_create(user=person, provider="company", uid=str(person.pk),
    defaults={"extra_data": {"name": person.name, "email": person.email}})
if not User.objects.filter(email="only@example.com").exists():
    only = User.objects.create_user("only@example.com", None, name="Lin Daiyu")
    SocialAccount.objects.create(user=only, provider="company", uid="only")
answer = [str(row.uuid), str(wecom.uuid)]
"""


def pages(tour: Tour, language: str) -> dict[str, str]:
    """The addresses by name."""
    home = tour.site.url()
    tour.cookies["nobody", language] = {}
    company, wecom = tour.site.django(PREPARE, tour.people[language].email)
    setup = f"{home}/setup/company-sign-in"
    return {
        "company-ask": f"{home}/accounts/company/company/",
        "company-refused": f"{home}/accounts/company/company/callback/?state=none",
        "company": f"{home}/me/company/",
        "setup-company": f"{setup}/",
        "setup-company-new": f"{setup}/new/oidc/",
        "setup-company-feishu": f"{setup}/new/feishu/",
        "setup-company-one": f"{setup}/{company}/",
        "setup-company-wecom": f"{setup}/{wecom}/",
        "setup-company-remove": f"{setup}/{company}/remove/",
    }
