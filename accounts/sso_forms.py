"""What an administrator enters about a company sign-in. A secret goes in and never comes out; asks nobody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import sso_connections, sso_fetch, sso_metadata, sso_secrets
from accounts.models import Membership, SsoConnection, Team
from accounts.sso_trial_words import REACHED

if TYPE_CHECKING:  # generic for the type checker only
    ConnectionBase: TypeAlias = forms.ModelForm[SsoConnection]
else:
    ConnectionBase = forms.ModelForm

Kind = SsoConnection.Kind
MAIN = {
    Kind.OIDC: ("name", "server_url", "client_id", "new_secret", "makes_people", "email_domains"),
    Kind.FEISHU: ("name", "client_id", "new_secret", "makes_people", "email_domains"),
    Kind.WECOM: ("name", "client_id", "agent_id", "new_secret", "makes_people"),
}
FURTHER = {Kind.OIDC: ("group_claim", "scopes"), Kind.FEISHU: ("server_url", "scopes"), Kind.WECOM: ("server_url",)}
_DOMAIN = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_CLAIM = re.compile(r"[^\s\x00-\x1f]{1,80}")
GROUPS = 30
"""Rows of the table of groups."""

NAME = (_("Name"), _("Stands on the button: “Continue with …”."))
WORDS: dict[Kind, dict[str, tuple[Any, Any]]] = {
    Kind.OIDC: {
        "name": NAME,
        "server_url": (_("Issuer's address"), _("For example https://sso.example.com/realms/company")),
        "client_id": (_("Client id"), ""),
        "new_secret": (_("Client secret"), ""),
        "makes_people": (
            _("Make an account at the first sign-in"),
            _(
                "For colleagues whose verified address is in one of the domains below. Otherwise only who was invited comes in."
            ),
        ),
        "email_domains": (_("Domains it may vouch for"), _("One a line, such as example.com.")),
        "group_claim": (
            _("Claim that names groups"),
            _("For example groups, or realm_access.roles. Empty: teams are kept by hand."),
        ),
        "scopes": (_("Scopes"), _("Empty: openid profile email.")),
    },
    Kind.FEISHU: {
        "name": NAME,
        "client_id": (_("App ID"), _("Begins with cli_.")),
        "new_secret": (_("App Secret"), ""),
        "makes_people": (
            _("Make an account at the first sign-in"),
            _("For everybody who may use the app in Feishu. Otherwise only who was invited comes in."),
        ),
        "email_domains": (
            _("Domains it may vouch for"),
            _("One a line. An address from Feishu in one of them becomes the account's; others are not believed."),
        ),
        "server_url": (_("Server"), _("Empty: https://open.feishu.cn. Lark: https://open.larksuite.com")),
        "scopes": (_("Scopes"), _("Empty: what the app has.")),
    },
    Kind.WECOM: {
        "name": NAME,
        "client_id": (_("Corp ID"), _("Under “My company” (我的企业).")),
        "agent_id": (_("Agent ID"), _("On the application's page.")),
        "new_secret": (_("Secret"), _("On the application's page.")),
        "makes_people": (
            _("Make an account at the first sign-in"),
            _("For everybody in the application's visible range. Otherwise only who was invited comes in."),
        ),
        "server_url": (_("Server"), _("Empty: WeCom's own. For a deployment in the company's own house its address.")),
    },
}


class ConnectionForm(ConnectionBase):
    """One connection of one kind."""

    # Judged by our own rule, which also knows hosts of one word (https://sso/): Django's does not.
    server_url = forms.CharField(max_length=200, required=False)
    new_secret = forms.CharField(
        max_length=1000, strip=True, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )

    class Meta:
        model = SsoConnection
        fields = (
            "name",
            "client_id",
            "agent_id",
            "makes_people",
            "email_domains",
            "group_claim",
            "scopes",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("server_url", self.instance.server_url)
        kind = Kind(self.instance.kind)
        shown = (*MAIN[kind], *FURTHER[kind])
        for name in [name for name in self.fields if name not in shown]:
            del self.fields[name]
        self.order_fields(shown)
        for name, (label, hint) in WORDS[kind].items():
            self.fields[name].label, self.fields[name].help_text = label, hint
        for name in ("server_url", "client_id", "scopes", "group_claim", "agent_id"):
            if name in self.fields:
                self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        for name in ("agent_id",):
            if name in self.fields:
                self.fields[name].required = True
        if kind == Kind.OIDC:
            self.fields["server_url"].required = True
        if "email_domains" in self.fields:
            self.fields["email_domains"].widget.attrs |= {"rows": 3, "spellcheck": "false"}
        if self.instance.secret:
            tail = self.instance.secret_tail
            self.fields["new_secret"].help_text = (
                _("Empty: the one in use, which ends in %(tail)s, stays.") % {"tail": tail}
                if tail
                else _("Empty: the one in use stays.")
            )
        for name in sso_connections.fixed_fields(self.instance):
            self.fields[name].disabled = True
            self.fields[name].help_text = _(
                "Colleagues sign in through it: it stays. For another one add a new company sign-in."
            )

    @property
    def main(self) -> list[forms.BoundField]:
        """What is always asked."""
        return [self[name] for name in MAIN[Kind(self.instance.kind)]]

    @property
    def further(self) -> list[forms.BoundField]:
        """What few need."""
        return [self[name] for name in FURTHER[Kind(self.instance.kind)]]

    def clean_server_url(self) -> str:
        url = str(self.cleaned_data["server_url"]).strip()
        url = url.removesuffix(sso_metadata.WELL_KNOWN).rstrip("/")
        if not url:
            return ""
        try:
            sso_fetch.check(url)
        except sso_fetch.Unanswered as error:
            what, do = REACHED[error.fault]
            raise ValidationError(f"{what} {do}") from None
        return url

    def clean_new_secret(self) -> str:
        secret: str = self.cleaned_data["new_secret"]
        if secret:
            try:
                sso_secrets.encrypt(secret)
            except ValueError:
                raise ValidationError(_("A secret has neither line breaks nor special characters.")) from None
        elif not self.instance.secret:
            raise ValidationError(_("Enter the secret."))
        return secret

    def clean_email_domains(self) -> str:
        lines = [line.strip().lstrip("@").lower() for line in self.cleaned_data["email_domains"].splitlines()]
        domains = [line for line in lines if line]
        if wrong := [domain for domain in domains if not _DOMAIN.fullmatch(domain)]:
            raise ValidationError(_("%(domain)s is no domain.") % {"domain": wrong[0][:80]})
        return "\n".join(dict.fromkeys(domains))

    def clean_group_claim(self) -> str:
        claim = str(self.cleaned_data["group_claim"]).strip()
        if claim and not _CLAIM.fullmatch(claim):
            raise ValidationError(_("A claim's name has no blanks."))
        return claim

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if self.instance.kind == Kind.OIDC and given.get("makes_people") and given.get("email_domains") == "":
            self.add_error("email_domains", _("For whom may it make accounts? Name at least one domain."))
        moved = "server_url" in given and given["server_url"] != self.instance.server_url
        if moved and self.instance.secret and not given.get("new_secret"):
            self.add_error("new_secret", _("Enter the secret once more: the one in use was meant for another server."))
        if "server_url" in given:
            self.instance.server_url = given["server_url"]
        return given


class DaysForm(forms.Form):
    """How long a colleague's keys live without a sign-in through the company."""

    days = forms.IntegerField(
        label=_("Days"),
        min_value=1,
        max_value=365,
        help_text=_("From 1 to 365. The keys go on after the next sign-in."),
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )


class GroupsForm(forms.Form):
    """Which of the issuer's groups is which team: rows of group, team and role; an empty row is none."""

    def __init__(self, *args: Any, connection: SsoConnection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = list(connection.teams.order_by("group", "pk"))
        teams = [("", "—"), *((team.pk, team.name) for team in Team.objects.order_by("name"))]
        self.count = min(GROUPS, max(3, len(held) + 2, self._posted()))
        for number in range(self.count):
            row = held[number] if number < len(held) else None
            self.fields[f"group{number}"] = forms.CharField(
                label=_("Group"), max_length=200, required=False, initial=row.group if row else ""
            )
            self.fields[f"team{number}"] = forms.ChoiceField(
                label=_("Team"), choices=teams, required=False, initial=row.team_id if row else ""
            )
            self.fields[f"role{number}"] = forms.ChoiceField(
                label=_("Role"),
                choices=Membership.Role.choices,
                required=False,
                initial=row.role if row else Membership.Role.MEMBER,
            )
            for name in ("group", "team", "role"):  # the table's head names the column, not the row
                field = self.fields[f"{name}{number}"]
                field.widget.attrs["aria-label"] = f"{field.label} {number + 1}"

    @property
    def rows(self) -> list[tuple[forms.BoundField, forms.BoundField, forms.BoundField]]:
        """The rows of the table."""
        return [(self[f"group{n}"], self[f"team{n}"], self[f"role{n}"]) for n in range(self.count)]

    @property
    def groups(self) -> list[tuple[str, int, str]]:
        """What was entered."""
        given = self.cleaned_data
        return [
            (given[f"group{n}"], int(given[f"team{n}"]), given.get(f"role{n}") or Membership.Role.MEMBER)
            for n in range(self.count)
            if given.get(f"group{n}") and given.get(f"team{n}")
        ]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        for number in range(self.count):
            group, team = given.get(f"group{number}"), given.get(f"team{number}")
            if group and not team:
                self.add_error(f"team{number}", _("Which team is this group?"))
            elif team and not group:
                self.add_error(f"group{number}", _("Which group is this team?"))
        return given

    def _posted(self) -> int:
        return sum(1 for name in self.data if name.startswith("group")) if self.is_bound else 0
