"""One of everything that an address can be about, made once for a module of tests; and what stands in an address for it."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.core import signing
from django.utils import timezone

from accounts import api_keys, clock, email_change, one_time_links, pictures, sso_secrets
from accounts.invitations import digest_of
from accounts.models import (
    Announcement,
    ApiKey,
    Erasure,
    Invitation,
    LegalHold,
    LoginSession,
    Logo,
    Mail,
    Membership,
    OneTimeLink,
    Opening,
    Organisation,
    Registration,
    RulesVersion,
    SsoConnection,
    Team,
    User,
)
from chat import organising
from chat.messages import Sent
from portal.models import Alert, AlertMessage
from providers.models import LanguageModel, ModelRoute, Price, Provider
from tests.accounts.conftest import PASSWORD
from tests.accounts.drawing import png
from tests.accounts.programs import signed_in
from tests.accounts.soft_key import SoftKey
from tests.chat.asking import asked
from tests.usage import making
from usage import months, quotas
from usage.limit_models import NOBODY
from usage.models import CallLine, ExchangeRate, LedgerEntry, PersonDay, Quota, QuotaRequest

UNKNOWN = "00000000-0000-4000-8000-000000000000"
HELD = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")
"""A placeholder in a route, in either of Django's spellings."""


class World:
    """People, what belongs to the owner, and what belongs to the organisation."""

    browser: LoginSession  # the owner's, once she has a session on the pages

    def __init__(self) -> None:
        self._make_models()
        self._make_people()
        self._make_chat()
        self._make_looks()
        self._make_call()
        self._make_words()
        self._make_credentials()
        self._make_doors()

    def _make_models(self) -> None:
        self.organisation = Organisation.get()
        self.organisation.name, self.organisation.open_domains = "Example", "example.org"
        self.organisation.save()
        # Nobody listens on port 9: what would ask a provider or an issuer is refused at once.
        self.provider = Provider.objects.create(name="Provider", base_url="http://127.0.0.1:9/v1", max_concurrency=9)
        self.spare = Provider.objects.create(name="Spare", base_url="http://127.0.0.1:9/v1")
        self.model = LanguageModel.objects.create(slug="demo", name="Demo", enabled=True)
        self.route = ModelRoute.objects.create(model=self.model, provider=self.provider, upstream_name="demo")
        self.price = Price.objects.create(model=self.model, provider=self.provider)
        later = timezone.now() + dt.timedelta(days=1)
        self.coming = Price.objects.create(model=self.model, provider=self.provider, effective_from=later)
        self.rate = ExchangeRate.objects.create(currency="CNY", into="USD", rate_micro=140_000, effective_from=later)
        self.connection = SsoConnection.objects.create(
            kind="oidc", slug="company", name="Example", server_url="http://127.0.0.1:9", client_id="portal",
            secret=sso_secrets.encrypt("a secret of twelve and more"), email_domains="example.com",
        )  # fmt: skip

    def _make_people(self) -> None:
        known = make_password(PASSWORD)
        self.owner, self.teammate, self.stranger = (
            User.objects.create(email=f"{name}@example.com", name=name.title(), password=known)
            for name in ("owner", "teammate", "stranger")
        )
        self.team, self.other_team = Team.objects.create(name="Team"), Team.objects.create(name="Other team")
        self.password = PASSWORD
        # About a model that nobody asks: what is posted elsewhere then moves no counter.
        elsewhere = {"of_models": [UNKNOWN], "models_key": "elsewhere"}
        self.quota = Quota.objects.create(
            scope="person",
            subject=self.owner.uuid,
            subject_name="Owner",
            unit="requests",
            period="day",
            amount=500,
            **elsewhere,
        )
        self.request_for_more = QuotaRequest.objects.create(
            quota=Quota.objects.create(scope="each", unit="tokens", period="month", amount=10**9, **elsewhere),
            person=self.stranger.uuid, person_name="Stranger", reason="A report",
        )  # fmt: skip
        # Over since so long that it can be closed on the first of a month, too.
        self.month = months.before(months.before(timezone.now().date().replace(day=1))).strftime("%Y-%m")
        self.membership = Membership.objects.create(user=self.owner, team=self.team)
        Membership.objects.create(user=self.teammate, team=self.team, role=Membership.Role.MANAGER)
        self.staff = User.objects.create(email="staff@example.com", password=known, is_staff=True)
        self.administrator = User.objects.create(
            email="administrator@example.com", password=known, is_staff=True, is_superuser=True
        )
        self.pending = User.objects.create(
            email="pending@example.com", password=known, is_active=False, awaits_approval=True
        )
        self.gone = User.objects.create(email="gone@example.com", password=known, is_active=False)
        self.one_time = User.objects.create(email="once@example.com", password=known, password_expired=True)
        self.program = User.objects.create(
            email="report@programs.invalid", name="Report", password=known, is_service=True, owner=self.owner
        )

    def _make_chat(self) -> None:
        self.sent: Sent = asked(self.owner, "canary-of-the-owner")
        assert self.sent.question is not None
        self.question = self.sent.question
        self.binned = asked(self.owner, "deleted").conversation
        organising.delete(self.owner, conversation=self.binned)

    def _make_words(self) -> None:
        late = timezone.now() + dt.timedelta(days=1)
        self.announcement = Announcement.objects.create(text="Hello.", ends_at=late)
        picture = pictures.read(png())
        self.logo = Logo.objects.create(digest="a" * 64, data=picture.data, width=2, height=2)
        Organisation.objects.update(announced_until=late, logo=self.logo.digest)
        RulesVersion.objects.create(digest="b" * 64, text="Be kind.")

    def _make_looks(self) -> None:
        """The administrator was given the right and looks into the owner's conversations; somebody else has asked to."""
        User.objects.filter(pk=self.administrator.pk).update(may_open_chats=True)
        self.administrator.refresh_from_db()
        now = timezone.now()
        span = {
            "person": self.owner,
            "since": now - dt.timedelta(days=1),
            "until": now + dt.timedelta(days=1),
            "minutes": 60,
        }
        look = {
            "asked_at": now,
            "opened_at": now,
            "ends_at": now + dt.timedelta(hours=1),
            "reason": "A reason of some length",
        }
        self.opening = Opening.objects.create(reader=self.administrator, **span, **look)
        other = User.objects.create(email="holder@example.com", is_staff=True, may_open_chats=True)
        self.asked = Opening.objects.create(reader=other, by_two=True, asked_at=now, reason="Another one", **span)
        self.hold = LegalHold.objects.create(team=self.other_team, team_name="Other team", reason="Case", set_at=now)
        self.erasure = Erasure.objects.create(person=uuid.uuid4(), started_at=now, finished_at=now)

    def _make_call(self) -> None:
        now = clock.now()
        hold = making.reserve(making.hold(self.teammate), now=clock.now())
        quotas.settle([making.call(hold, now=clock.now())], now=clock.now())
        self.entry = LedgerEntry.objects.get(request_id=hold.request_id)
        self.entry_day = PersonDay.objects.get(person=self.teammate.uuid)
        self.call = making.call(hold, now=clock.now())
        self.call.team, self.call.team_name, self.call.person_name = self.team.uuid, "Team", "Teammate"
        self.call.save()
        alert = Alert.objects.create(kind="provider", subject="x", opened_at=now, seen_at=now, told_at=now)
        self.alert_message = AlertMessage.objects.create(
            alert=alert, what="raised", by_mail=False, to="http://127.0.0.1:9/", at=now, due_at=now, state="failed"
        )
        CallLine.objects.create(request_id=hold.request_id, at=clock.now(), kind="fell_back", detail="demo")

    def _make_credentials(self) -> None:
        self.secrets: dict[str, str] = {}
        self.key = self.key_of(self.owner, "full", scopes=["chat", "models", "usage", "profile", "keys"])
        self.programs_key = self.key_of(self.program, "program", scopes=["chat", "models", "keys"])
        self.token = signed_in(self.owner)
        self.login_session = LoginSession.objects.get(user=self.owner)
        self.refresh = self.login_session.refresh_tokens.get()
        adapter = get_adapter()
        app, codes = {"secret": adapter.encrypt("A" * 32)}, {"seed": adapter.encrypt("seed"), "used_mask": 0}
        Authenticator.objects.create(user=self.owner, type="totp", data=app)
        self.codes = Authenticator.objects.create(user=self.owner, type="recovery_codes", data=codes)
        self.passkey = Authenticator.objects.create(user=self.owner, type="webauthn", data=_passkey())
        SocialAccount.objects.create(user=self.owner, provider=self.connection.slug, uid="owner-1")

    def key_of(self, user: User, name: str, **words: Any) -> ApiKey:
        """A key whose secret is then in `secrets` by this name."""
        key, self.secrets[name] = api_keys.make(
            user, name=name, by=user.owner or user, **({"scopes": ["chat", "models"]} | words)
        )
        return key

    def _make_doors(self) -> None:
        later = timezone.now() + dt.timedelta(days=1)
        self.invitation = Invitation.objects.create(
            email="guest@example.com", digest=digest_of("invitation-token"), expires_at=later
        )
        self.registration = Registration.objects.create(
            email="new@example.com", digest=digest_of("registration-token"), password="!", expires_at=later
        )
        self.mail = Mail.objects.create(to="a@example.com", kind="test", language="en", state=Mail.State.FAILED)
        self.one_time_link, self.link = one_time_links.make(self.stranger, purpose=OneTimeLink.Purpose.PASSWORD)
        words = [str(self.owner.uuid), self.owner.session_version, self.owner.email, "other@example.com"]
        self.email_token = signing.dumps(words, salt=email_change.SALT)
        self.reset_key = default_token_generator.make_token(self.stranger)

    def staff_with(self, *names: str) -> User:
        """Somebody of the staff with exactly these permissions."""
        found = [each for each in _permissions() if full_name(each) in names]
        assert len(found) == len(set(names)), f"there is no such permission: {names}"
        return self._staff(found)

    def staff_without(self, *names: str) -> User:
        """Somebody of the staff with every permission but these."""
        return self._staff([each for each in _permissions() if full_name(each) not in names])

    def _staff(self, permissions: list[Permission]) -> User:
        made = User.objects.create(email=f"{uuid.uuid4().hex}@example.com", password=self.owner.password, is_staff=True)
        made.user_permissions.set(permissions)
        return made

    def path(self, route: str, *, unknown: bool = False) -> str:
        """The address of a route, about what belongs to the owner or the organisation; or about what there is not."""
        names = [one or other for one, other in HELD.findall(route)]
        values = next((v for start, v in self._fillings() if route.startswith(start)), ())
        assert len(values) >= len(names), f"tests/security/world.py does not know what to put into {route}"
        given = iter((UNKNOWN,) * len(names) if unknown else values)
        filled = HELD.sub(lambda _held: str(next(given)), route)
        query = f"?for={self.program.uuid}" if route == "setup/keys/new/" else ""
        return "/" + filled.replace("^", "").rstrip("$") + query

    def _private(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Of looks, holds, people to erase and receipts."""
        return [
            ("setup/openings/<uuid:uuid>/agree/", (self.asked.uuid,)),
            ("setup/openings/", (self.opening.uuid, self.sent.conversation.uuid)),
            ("setup/privacy/holds/", (self.hold.uuid,)),
            ("setup/privacy/people/", (self.gone.uuid,)),
            ("setup/privacy/erasures/", (self.erasure.uuid,)),
        ]

    def _watched(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Of calls, months, alerts and the desk; and what everybody is shown."""
        return [
            ("me/team/<uuid:uuid>/desk/", (self.team.uuid, "models")),
            ("me/team/<uuid:uuid>/months/", (self.team.uuid, self.month, "people")),
            ("me/team/", (self.team.uuid, self.call.request_id)),
            ("setup/months/<slug:month>/<slug:what>", (self.month, "teams")),
            ("setup/months/", (self.month, self.provider.uuid, NOBODY)),
            ("setup/desk/", ("models",)),
            ("setup/alerts/", (self.alert_message.uuid,)),
            ("setup/calls/", (self.call.request_id,)),
            ("brand/<str:name>", ("0f6b5c-63c7b2-1",)),
            ("brand/", (self.logo.digest,)),
        ]

    def _fillings(self) -> list[tuple[str, tuple[Any, ...]]]:
        """By the beginning of a route, the longer ones first: what stands for its placeholders."""
        sent, person, provider = self.sent, self.stranger, self.provider
        admin = {
            "accounts/user": person.pk, "accounts/team": self.team.pk, "accounts/membership": self.membership.pk,
            "accounts/organisation": self.organisation.pk, "providers/provider": provider.pk,
            "providers/languagemodel": self.model.pk, "providers/price": self.price.pk,
        }  # fmt: skip
        return [
            ("chat/messages/<uuid:uuid>/edit/", (self.question.uuid,)),
            ("chat/messages/", (sent.answer.uuid,)),
            ("chat/generations/", (sent.generation.uuid,)),
            ("chat/<uuid:uuid>/restore/", (self.binned.uuid,)),
            ("chat/<uuid:uuid>/delete-for-good/", (self.binned.uuid,)),
            ("chat/", (sent.conversation.uuid,)),
            ("live/", (sent.generation.uuid,)),
            ("accounts/signup/confirm/", ("registration-token",)),
            ("accounts/invitation/", ("invitation-token",)),
            ("accounts/^password/reset/key/", (user_pk_to_url_str(self.stranger), self.reset_key)),
            ("accounts/link/", (self.link.rstrip("/").rpartition("/")[2],)),
            ("accounts/email/", (self.email_token,)),
            ("accounts/second-factor/passkeys/", (self.passkey.pk,)),
            ("accounts/company/", (self.connection.slug,)),
            ("me/company/", (self.connection.slug,)),
            ("me/keys/", (self.key.uuid,)),
            ("me/sign-ins/", (self.login_session.uuid,)),
            ("me/usage/ask/", (self.quota.uuid,)),
            *self._private(),
            *self._watched(),
            ("setup/limits/requests/", (self.request_for_more.uuid,)),
            ("setup/limits/people/", (self.owner.uuid,)),
            ("setup/limits/calls/", (self.entry.uuid,)),
            ("setup/limits/", (self.quota.uuid,)),
            ("setup/models/connect/", ("openai",)),
            ("setup/models/provider/", (provider.uuid,)),
            ("setup/models/", (self.model.uuid, provider.uuid)),
            *((f"{place}/announcements/", (self.announcement.uuid,)) for place in ("setup", "me")),
            ("setup/prices/<uuid:uuid>/remove/", (self.coming.uuid,)),
            ("setup/prices/rates/", (self.rate.uuid,)),
            ("setup/prices/", (self.model.uuid, provider.uuid)),
            ("setup/company-sign-in/new/", ("oidc",)),
            ("setup/company-sign-in/", (self.connection.uuid,)),
            ("setup/keys/", (self.key.uuid,)),
            ("setup/mail/", (self.mail.uuid,)),
            ("setup/people/invitations/", (self.invitation.uuid,)),
            ("setup/people/", (self.owner.uuid, self.team.uuid)),
            ("setup/programs/", (self.program.uuid,)),
            ("setup/teams/", (self.team.uuid, self.owner.uuid)),
            ("api/v1/keys/", (self.key.uuid,)),
            ("api/v1/bin/", (self.binned.uuid,)),
            ("api/v1/conversations/<uuid:uuid>/restore/", (self.binned.uuid,)),
            ("api/v1/conversations/", (sent.conversation.uuid,)),
            ("api/v1/messages/<uuid:uuid>/edit/", (self.question.uuid,)),
            ("api/v1/messages/", (sent.answer.uuid,)),
            ("api/v1/generations/", (sent.generation.uuid,)),
            ("admin/r/", (1, 1)),
            *((f"admin/{name}/", (pk,)) for name, pk in admin.items()),
            ("admin/^(?P<app_label>", ("accounts",)),
            ("admin/(?P<url>", ("nowhere",)),
        ]


def _passkey() -> dict[str, Any]:
    """A passkey as it is stored."""
    asked = {"publicKey": {"challenge": "AAAA", "user": {"id": "AAAA"}}}
    return {"name": "Laptop", "passwordless": True, "credential": json.loads(SoftKey().make(asked))}


def _permissions() -> list[Permission]:
    return list(Permission.objects.select_related("content_type"))


def full_name(permission: Permission) -> str:
    """As it is asked for: "accounts.view_user"."""
    return f"{permission.content_type.app_label}.{permission.codename}"
