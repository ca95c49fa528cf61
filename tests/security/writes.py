"""What each address that takes a post may change, and a body with which it does. Everything else must stay as it is.

An address that takes a post and has no row here fails the build (test_writable.py). Columns are named by table; "+" and "-" are rows
that come and go. Texts are filled with what belongs to the world (tests/security/world.py): "{w.owner.email}".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PASSWORD = "another long secret 5"
SENT = "chat.Conversation: + leaf_id version updated_at title title_state; chat.Message: +; chat.Generation: +; usage.Reservation: +;"
SENT += "usage.Invocation: +"  # of a question that is refused
OUT = "accounts.LoginSession: ended_at ended_because; accounts.User: session_version"


@dataclass(frozen=True, slots=True)
class Write:
    """One address. `about`: whose rows may change, by their names in the world; `idle`: this body alone changes nothing.

    `json`: it is posted as JSON. `strict`: an unknown field is refused by name, and nothing is written at all.
    """

    route: str
    body: dict[str, Any] = field(default_factory=dict)
    may: str = ""
    about: str = ""
    method: str = "POST"
    json: bool = False
    strict: bool = False
    idle: bool = False
    nobody: bool = False
    person: str = ""

    @property
    def who(self) -> str:
        """Who posts."""
        if self.nobody:
            return ""
        return self.person or ("administrator" if self.route.startswith(("setup/", "admin/")) else "owner")

    @property
    def columns(self) -> dict[str, set[str]]:
        """The declared columns by table."""
        parts = (part.partition(":") for part in self.may.split(";") if part.strip())
        return {table.strip(): set(names.split()) for table, _colon, names in parts}


def _asked(route: str, **words: str) -> Write:
    body = {"client_id": "0123456789abcdef0123456789abcdef", **words}
    return Write(route, body, SENT, "sent.conversation", json=True)


CHAT = (
    _asked("chat/messages/", text="What now?"),
    _asked("chat/messages/<uuid:uuid>/edit/", text="What then?"),
    _asked("chat/messages/<uuid:uuid>/regenerate/"),
    _asked("chat/messages/<uuid:uuid>/continue/"),
    _asked("chat/messages/<uuid:uuid>/retry/"),
    Write("chat/generations/<uuid:uuid>/cancel/", json=True, idle=True),
    Write(
        "chat/<uuid:uuid>/rename/", {"title": "Renamed"}, "chat.Conversation: title title_state", "sent.conversation"
    ),
    Write("chat/<uuid:uuid>/delete/", {}, "chat.Conversation: deleted_at", "sent.conversation"),
    Write("chat/<uuid:uuid>/restore/", {}, "chat.Conversation: deleted_at", "binned"),
    Write(
        "chat/<uuid:uuid>/delete-for-good/", {}, "chat.Conversation: -; chat.Message: -; chat.Generation: -", "binned"
    ),
    Write("chat/bin/empty/", {}, "chat.Conversation: -; chat.Message: -; chat.Generation: -", "binned"),
    Write("chat/<uuid:uuid>/seen/", {}, "chat.Conversation: seen_at", "sent.conversation", idle=True),
)
ONESELF = (
    Write(
        "me/",
        {"name": "O.", "language": "en", "time_zone": "Asia/Shanghai", "theme": "dark", "default_model": "demo"},
        "accounts.User: name language time_zone theme default_model",
        "owner",
    ),
    Write("me/language/", {"language": "zh-hans"}, "accounts.User: language", "owner"),
    Write("me/house-rules/", {"rules": "x"}, "accounts.User: house_rules_read", "owner", idle=True),
    Write("me/notices/", {}, "accounts.Notice: read_at", idle=True),
    Write("me/email/", {"email": "elsewhere@example.com"}, idle=True),
    Write(
        "me/keys/new/",
        {"account": "{w.owner.uuid}", "name": "editor", "scopes": ["chat"], "expires": "30", "models": ["demo"]},
        "accounts.ApiKey: +",
    ),
    Write("me/keys/<uuid:number>/roll/", {"keep": "1"}, "accounts.ApiKey: + successor_id expires_at", "key"),
    Write("me/keys/<uuid:number>/revoke/", {}, "accounts.ApiKey: revoked_at revoked_by_id", "key"),
    Write("me/team/<uuid:team>/calls/export/", {}, idle=True, person="teammate"),
    Write("me/sign-ins/<uuid:number>/end/", {}, "accounts.LoginSession: ended_at ended_because", "login_session"),
    Write("me/sign-ins/end/", {}, OUT, "owner login_session browser"),
    Write("me/company/<slug:slug>/disconnect/", {}, "socialaccount.SocialAccount: -; accounts.User: sso_at", "owner"),
    Write(
        "accounts/password/change/",
        {"oldpassword": "{w.password}", "password1": PASSWORD, "password2": PASSWORD},
        "accounts.User: password session_version; accounts.Notice: +;"
        "accounts.LoginSession: ended_at ended_because session_digest session_version",
        "owner login_session browser",
    ),
    Write("accounts/logout/", {}, "accounts.LoginSession: ended_at ended_because", "browser"),
    Write("accounts/confirm/", {"password": "{w.password}"}, "accounts.LoginSession: method", idle=True),
    Write("accounts/confirm/code/", {"code": "000000"}, idle=True),
    Write("accounts/confirm/passkey/", {"credential": "{}"}, idle=True),
    Write("accounts/code/", {"code": "000000"}, idle=True),
    Write("accounts/passkey/", {"credential": "{}"}, idle=True),
    Write("accounts/second-factor/app/", {"code": "000000"}, idle=True),
    Write("accounts/second-factor/app/remove/", {}, "mfa.Authenticator: -; accounts.Notice: +"),
    Write("accounts/second-factor/codes/new/", {}, "mfa.Authenticator: + - data; accounts.Notice: +", "codes"),
    Write("accounts/second-factor/passkeys/", {}, idle=True),
    Write("accounts/second-factor/passkeys/add/", {"name": "x", "credential": "{}"}, idle=True),
    Write("accounts/second-factor/passkeys/<int:pk>/", {"name": "Old"}, "mfa.Authenticator: data", "passkey"),
    Write("accounts/second-factor/passkeys/<int:pk>/remove/", {}, "mfa.Authenticator: -; accounts.Notice: +"),
)
_ENTER = {"name": "New", "password1": PASSWORD, "password2": PASSWORD}
DOORS = (
    Write("accounts/login/", {"login": "stranger@example.com", "password": "wrong"}, idle=True, nobody=True),
    Write("accounts/signup/", {"email": "a@example.org", **_ENTER}, "accounts.User: +", nobody=True),
    Write("accounts/signup/confirm/<str:token>/", {"password": "wrong"}, "accounts.Registration: tries", "registration",
          nobody=True),
    Write("accounts/invitation/<str:token>/", _ENTER,
          "accounts.User: +; accounts.Invitation: accepted_at user_id; accounts.LoginSession: +", "invitation", nobody=True),
    Write("accounts/password/reset/", {"email": "stranger@example.com"}, idle=True, nobody=True),
    Write(r"accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[-0-9A-Za-z]+)/$", {}, idle=True, nobody=True),
    Write(
        "accounts/link/<str:token>/", {"password1": PASSWORD, "password2": PASSWORD},
        "accounts.User: password password_expired session_version; accounts.OneTimeLink: used_at; accounts.Notice: +;"
        "accounts.LoginSession: +", "stranger one_time_link", nobody=True,
    ),
    Write(
        "accounts/email/<str:token>/", {},
        f"{OUT}; accounts.User: email session_version; accounts.Notice: +", "owner login_session browser", nobody=True,
    ),
    Write("accounts/company/<slug:slug>/", {}, idle=True, nobody=True),
    Write("accounts/company/<slug:slug>/logout/", {"logout_token": "x"}, idle=True, nobody=True),
)  # fmt: skip
_PROVIDER = {
    "name": "Renamed",
    "base_url": "http://127.0.0.1:9/v2",
    "max_concurrency": "7",
    "new_key": "sk-{w.team.pk}-provider",
}
MODELS = (
    Write("setup/models/connect/<slug:slug>/", _PROVIDER | {"base_url": "http://127.0.0.1:9/v1"},
          "providers.Provider: +; providers.ProviderState: +"),
    Write("setup/models/provider/<uuid:uuid>/test/", {"model": "demo"},
          "providers.Provider: dialect; providers.ProviderState: +", "provider", idle=True),
    Write("setup/models/provider/<uuid:uuid>/key/", {"new_key": "sk-a-next-key-of-some-length"},
          "providers.Provider: key key_hint next_key next_key_hint", "provider"),
    Write("setup/models/provider/<uuid:uuid>/switch/", {}, "providers.Provider: key key_hint next_key next_key_hint",
          "provider", idle=True),
    Write("setup/models/provider/<uuid:uuid>/address/", _PROVIDER | {"proxy": ""},
          "providers.Provider: name base_url proxy max_concurrency key key_hint next_key next_key_hint", "provider"),
    Write("setup/models/provider/<uuid:uuid>/power/", {"to": "off"}, "providers.Provider: enabled", "provider"),
    Write("setup/models/provider/<uuid:uuid>/choose/", {"shown": "{w.route.pk}"},
          "providers.ModelRoute: enabled; providers.LanguageModel: enabled position; providers.Provider: enabled",
          "route model provider"),
    Write("setup/models/provider/<uuid:uuid>/names/", {"names": "other"},
          "providers.LanguageModel: +; providers.ModelRoute: +"),
    Write("setup/models/provider/<uuid:uuid>/fetch/", {}, idle=True),
    Write("setup/models/<uuid:uuid>/",
          {"name": "Other", "description": "one line", "context_window": "16000", "max_output_tokens": "2000",
           "answer_tokens": "1000"},
          "providers.LanguageModel: name description context_window max_output_tokens answer_tokens", "model"),
    Write("setup/models/<uuid:uuid>/teams/", {"who": "teams", "teams": ["{w.team.uuid}"]},
          "providers.LanguageModel: for_all; providers.LanguageModel_teams: +; providers.LanguageModel_denied_teams: +", "model"),
    Write("setup/models/<uuid:uuid>/test/", {}, "providers.Provider: dialect; providers.ProviderState: +", "provider", idle=True),
    Write("setup/models/<uuid:uuid>/ways/", {"extra": '{"temperature": 1}'}, "providers.LanguageModel: body modes", "model"),
    Write("setup/models/<uuid:uuid>/providers/", {"provider": "{w.spare.uuid}", "upstream_name": "other"},
          "providers.ModelRoute: +"),
    Write("setup/models/<uuid:uuid>/providers/<uuid:provider>/", {"do": "off"},
          "providers.ModelRoute: - enabled position", "route"),
    Write("setup/models/<uuid:uuid>/order/", {"do": "off"}, "providers.LanguageModel: enabled position", "model"),
)  # fmt: skip
PRICES = (
    Write("setup/prices/<uuid:model>/<uuid:provider>/", {"currency": "USD", "input_micro": "1", "output_micro": "2"},
          "providers.Price: +"),
    Write("setup/prices/fill/", {}, idle=True),
    Write("setup/prices/file/", {"text": "model,provider,currency,from,input\ndemo,Provider,USD,,7"}, "providers.Price: +"),
    Write("setup/prices/<uuid:uuid>/remove/", {}, "providers.Price: -"),
    Write("setup/prices/rates/", {"currency": "CNY", "rate": "0.15"}, "usage.ExchangeRate: +"),
    Write("setup/prices/rates/file/", {"text": "currency,rate\nEUR,1.1"}, "usage.ExchangeRate: +"),
    Write("setup/prices/rates/<uuid:uuid>/remove/", {}, "usage.ExchangeRate: -"),
    Write("setup/prices/rates/currency/", {"currency": "EUR"}, "accounts.Organisation: currency", "organisation"),
)  # fmt: skip
LIMITS = (
    Write("me/usage/ask/<uuid:quota>/", {"reason": "A report", "amount": "5"}, "usage.QuotaRequest: +"),
    Write("setup/limits/new/", {"whom": "each", "amount": "50", "unit": "requests", "period": "week", "at_limit": "block",
          "do": "make"}, "usage.Quota: +"),
    Write("setup/limits/<uuid:uuid>/", {"amount": "60", "at_limit": "warn"}, "usage.Quota: amount at_limit changed_at", "quota"),
    Write("setup/limits/<uuid:uuid>/remove/", {}, "usage.Quota: removed_at", "quota"),
    Write("setup/limits/many/", {"limit": ["{w.quota.uuid}"], "do": "percent", "percent": "10"},
          "usage.Quota: amount changed_at", "quota"),
    Write("setup/limits/file/", {"text": "for,what,amount,per\norganisation,requests,900,month"}, "usage.Quota: +"),
    Write("setup/limits/shown/", {"usage_shown": "money"}, "accounts.Organisation: usage_shown", "organisation"),
    Write("setup/limits/requests/<uuid:uuid>/", {"do": "grant", "amount": "7"},
          "usage.QuotaGrant: +; usage.QuotaRequest: state answer decided_by decided_at grant_id", "request_for_more"),
    Write("setup/limits/calls/<uuid:uuid>/", {"tokens_out": "-1", "reason": "Too much"},
          "usage.LedgerEntry: +; usage.Rollup: +; usage.PersonDay: + corrections corrected_tokens corrected_micro",
          "entry_day"),
)  # fmt: skip
_ISSUER = {
    "name": "Other",
    "server_url": "http://127.0.0.1:9",
    "client_id": "other",
    "new_secret": "another secret of twelve",
    "email_domains": "example.com",
    "group_claim": "groups",
    "scopes": "openid",
}
COMPANY = (
    Write("setup/company-sign-in/new/<slug:kind>/", _ISSUER, "accounts.SsoConnection: +"),
    Write("setup/company-sign-in/<uuid:uuid>/", _ISSUER | {"makes_people": "on", "email_domains": "example.com"},
          "accounts.SsoConnection: name server_url client_id secret secret_tail makes_people email_domains group_claim scopes"
          " is_enabled", "connection"),
    Write("setup/company-sign-in/<uuid:uuid>/try/", {}, idle=True),
    Write("setup/company-sign-in/<uuid:uuid>/teams/", {"group0": "all", "team0": "{w.team.pk}", "role0": "member"},
          "accounts.SsoTeam: +"),
    Write("setup/company-sign-in/<uuid:uuid>/staff/", {"staff_group": "admins", "bundles": ["teams"]},
          "accounts.SsoConnection: staff_group staff_bundles", "connection"),
    Write("setup/company-sign-in/<uuid:uuid>/switch/", {"do": "off"}, "accounts.SsoConnection: is_enabled", "connection"),
    Write("setup/company-sign-in/<uuid:uuid>/remove/", {}, "accounts.SsoConnection: -; socialaccount.SocialAccount: -;"
          "accounts.User: sso_at session_version; accounts.LoginSession: ended_at ended_because", "owner login_session browser"),
    Write("setup/company-sign-in/only/", {"only": "on"}, "accounts.Organisation: sso_only", "organisation", idle=True),
    Write("setup/company-sign-in/days/", {"days": "9"}, "accounts.Organisation: sso_days", "organisation"),
)  # fmt: skip
ORGANISATION = (
    Write("setup/put-away/", {}, idle=True),
    Write("setup/audit/export/", {"format": "csv"}, idle=True),
    Write("setup/calls/export/", {}, idle=True),
    Write("setup/alerts/", {"emails": "", "webhook_url": "http://127.0.0.1:9/", "quiet_minutes": "30",
           "error_percent": "9", "queue_s": "9"},
          "portal.AlertSettings: +"),
    Write("setup/months/rules/", {"close_after_days": "5", "readers": ["{w.administrator.uuid}"]},
          "portal.MonthRules: +; portal.MonthReader: +"),
    Write("setup/months/<slug:month>/close/", {}, "usage.ClosedMonth: +"),
    Write("setup/months/<slug:month>/invoices/<uuid:provider>/<uuid:model>/", {"amount": "12.50", "currency": "USD"},
          "usage.Invoice: +"),
    Write("setup/alerts/test/", {}, "portal.Alert: +"),
    Write("setup/alerts/<uuid:uuid>/again/", {}, "portal.AlertMessage: state tries due_at error", "alert_message"),
    Write("setup/sign-in/", {"second_factor": "staff"}, "accounts.Organisation: second_factor", "organisation"),
    Write("setup/organisation/",
          {"name": "Other", "time_zone": "Asia/Shanghai", "language": "en", "contact": "Ada", "house_rules": "Be kind.",
           "instructions": "Be short.", "starters": "Why?"},
          "accounts.Organisation: name time_zone language contact house_rules instructions starters; accounts.RulesVersion: +",
          "organisation"),
    Write("setup/look/", {"accent": "#003399", "accent_dark": ""}, "accounts.Organisation: accent accent_dark", "organisation"),
    Write("setup/look/picture/", {"do": "remove"}, "accounts.Organisation: logo; accounts.Logo: - +", "organisation logo"),
    Write("setup/announcements/", {"text": "Hello.", "level": "info", "starts_at": "2030-01-01T00:00",
          "ends_at": "2030-01-02T00:00"}, "accounts.Announcement: +; accounts.Organisation: announced_until", "organisation"),
    Write("setup/announcements/<uuid:uuid>/", {"text": "Other.", "level": "warn", "starts_at": "2030-01-01T00:00",
          "ends_at": "2030-01-02T00:00"},
          "accounts.Announcement: - text level starts_at ends_at; accounts.Organisation: announced_until",
          "announcement organisation"),
    Write("setup/maintenance/", {"do": "on", "note": "A disk."},
          "accounts.Organisation: maintenance_since maintenance_until maintenance_note", "organisation"),
    Write("me/announcements/<uuid:uuid>/", {}, "accounts.AnnouncementRead: +"),
    Write("setup/mail/test/", {}, idle=True),
    Write("setup/mail/<uuid:number>/again/", {}, "accounts.Mail: state next_try_at tries error", "mail", idle=True),
    Write("setup/mail/<uuid:number>/discard/", {}, "accounts.Mail: - state body", "mail"),
    Write("setup/keys/<uuid:number>/revoke/", {}, "accounts.ApiKey: revoked_at revoked_by_id", "key"),
    Write("setup/keys/new/", {"account": "{w.program.uuid}", "name": "x", "scopes": ["chat"], "expires": "30"},
          "accounts.ApiKey: +"),
)  # fmt: skip
_LEFT = "accounts.ApiKey: revoked_at revoked_by_id; accounts.LoginSession: ended_at ended_because; chat.Generation: cancel_requested_at"
PEOPLE = (
    Write("setup/people/new/", {"email": "x@example.com", "name": "X"}, "accounts.User: +"),
    Write("setup/people/invitations/", {"email": "y@example.com", "name": "Y", "days": "7", "role": "member"},
          "accounts.Invitation: +"),
    Write("setup/people/invitations/file/", {"days": "7"}, idle=True),
    Write("setup/people/invitations/domains/", {"open_domains": "example.net"}, "accounts.Organisation: open_domains",
          "organisation"),
    Write("setup/people/invitations/<uuid:uuid>/", {"do": "revoke"},
          "accounts.Invitation: revoked_at", "invitation"),
    Write("setup/people/<uuid:number>/link/", {}, "accounts.OneTimeLink: +; accounts.Notice: +"),
    Write("setup/people/<uuid:number>/second-factor/", {},
          f"{OUT}; mfa.Authenticator: -; accounts.Notice: +", "owner login_session browser"),
    Write("setup/people/<uuid:uuid>/rename/", {"name": "O.", "email": "o@example.com"},
          f"{OUT}; accounts.User: name email session_version; accounts.Notice: +", "owner login_session browser"),
    Write("setup/people/<uuid:uuid>/rights/", {"role": "staff", "bundles": ["teams"]},
          "accounts.User: is_staff session_version; accounts.User_user_permissions: +", "owner"),
    Write("setup/people/<uuid:uuid>/sign-out/", {}, OUT, "owner login_session browser"),
    Write("setup/people/<uuid:uuid>/deactivate/", {"heir": "{w.teammate.email}"},
          f"{_LEFT}; accounts.User: is_active deactivated_at session_version owner_id; accounts.Membership: + - role is_primary;"
          "accounts.OneTimeLink: used_at; mfa.Authenticator: -", "owner program key login_session browser membership"),
    Write("setup/people/<uuid:uuid>/reactivate/", {}, idle=True),
    Write("setup/people/<uuid:uuid>/approve/", {"do": "approve"}, idle=True),
    Write("setup/people/<uuid:uuid>/teams/", {"team": "{w.other_team.uuid}", "role": "manager"},
          "accounts.Membership: +; accounts.HeldPerson: +"),
    Write("setup/people/<uuid:uuid>/teams/<uuid:team>/", {"do": "leave"}, "accounts.Membership: -"),
    Write("setup/programs/", {"name": "Robot", "owner": "{w.owner.email}"}, "accounts.User: +"),
    Write("setup/programs/<uuid:uuid>/change/", {"name": "Robot", "owner": "{w.teammate.email}"},
          "accounts.User: name owner_id", "program"),
    Write("setup/programs/<uuid:uuid>/power/", {"to": "off"},
          f"{_LEFT}; accounts.User: is_active deactivated_at session_version", "program programs_key"),
    Write("setup/teams/", {"name": "New", "cost_centre": "7"}, "accounts.Team: +"),
    Write("setup/teams/<uuid:uuid>/change/", {"name": "Other", "cost_centre": "7"}, "accounts.Team: name cost_centre", "team"),
    Write("setup/teams/<uuid:uuid>/delete/", {}, "accounts.Team: -; accounts.Membership: - is_primary"),
    Write("setup/teams/<uuid:uuid>/members/", {"person": "{w.stranger.email}", "role": "member"}, "accounts.Membership: +"),
    Write("setup/teams/<uuid:uuid>/members/<uuid:person>/", {"role": "manager"}, "accounts.Membership: role", "membership"),
)  # fmt: skip
_TOKEN = "accounts.LoginSession: + ended_at ended_because; accounts.RefreshToken: + used_at client"
API = (
    Write("api/v1/auth/token/", {"email": "stranger@example.com", "password": "{w.password}"}, _TOKEN, nobody=True,
          json=True, strict=True),
    Write("api/v1/auth/token/refresh/", {"refresh": "{w.token.refresh}"}, _TOKEN, "login_session refresh", nobody=True,
          json=True, strict=True),
    Write("api/v1/auth/token/revoke/", {"refresh": "{w.token.refresh}"}, _TOKEN, "login_session", nobody=True,
          json=True, strict=True),
    Write("api/v1/me/", {"name": "O.", "theme": "dark"}, "accounts.User: name language time_zone theme default_model",
          "owner", method="PATCH", json=True, strict=True),
    Write("api/v1/ask/", {"text": "What now?", "wait": 0}, SENT, json=True, strict=True),
    Write("api/v1/conversations/", {"text": "What now?"}, SENT, json=True, strict=True),
    Write("api/v1/conversations/<uuid:uuid>/messages/", {"text": "What now?"}, SENT, "sent.conversation", json=True,
          strict=True),
    Write("api/v1/conversations/<uuid:uuid>/", {"title": "Renamed"}, "chat.Conversation: title title_state",
          "sent.conversation", method="PATCH", json=True, strict=True),
    Write("api/v1/conversations/<uuid:uuid>/", {}, "chat.Conversation: deleted_at", "sent.conversation",
          method="DELETE", json=True),
    Write("api/v1/conversations/<uuid:uuid>/restore/", {}, "chat.Conversation: deleted_at", "binned", json=True),
    Write("api/v1/conversations/<uuid:uuid>/seen/", {}, "chat.Conversation: seen_at", "sent.conversation", json=True, idle=True),
    Write("api/v1/bin/", {}, "chat.Conversation: -; chat.Message: -; chat.Generation: -", "binned", method="DELETE", json=True),
    Write("api/v1/bin/<uuid:uuid>/", {}, "chat.Conversation: -; chat.Message: -; chat.Generation: -", "binned",
          method="DELETE", json=True),
    Write("api/v1/messages/<uuid:uuid>/edit/", {"text": "What then?"}, SENT, "sent.conversation", json=True, strict=True),
    Write("api/v1/messages/<uuid:uuid>/regenerate/", {}, SENT, "sent.conversation", json=True, strict=True),
    Write("api/v1/messages/<uuid:uuid>/continue/", {}, SENT, "sent.conversation", json=True, strict=True),
    Write("api/v1/messages/<uuid:uuid>/retry/", {}, SENT, "sent.conversation", json=True, strict=True),
    Write("api/v1/generations/<uuid:uuid>/cancel/", {}, json=True, idle=True),
    Write("api/v1/keys/", {"name": "editor", "scopes": ["chat"], "models": ["demo"]}, "accounts.ApiKey: +", json=True,
          strict=True),
    Write("api/v1/keys/<uuid:uuid>/", {}, "accounts.ApiKey: revoked_at revoked_by_id", "key", method="DELETE", json=True),
    Write("api/v1/keys/<uuid:uuid>/roll/", {"keep_hours": 1}, "accounts.ApiKey: + successor_id expires_at", "key",
          json=True, strict=True),
)  # fmt: skip
_REASON = "A reason that is long enough to be one."
PRIVACY = (
    Write("me/privacy/export/", {}, idle=True),
    Write("setup/openings/", {"person": "{w.teammate.email}", "reason": _REASON, "since": "2026-01-01", "until": "2026-01-31",
          "minutes": "60"}, "accounts.Opening: +; accounts.Notice: +"),
    Write("setup/openings/<uuid:uuid>/end/", {}, "accounts.Opening: ended_at", "opening"),
    Write("setup/openings/<uuid:uuid>/export/", {}, idle=True),
    Write("setup/openings/<uuid:uuid>/agree/", {}, "accounts.Opening: opened_at ends_at second_id told_at; accounts.Notice: +", "asked"),
    Write("setup/people/<uuid:number>/opening-right/", {"right": "on"}, idle=True),
    Write("setup/privacy/rules/", {"do": "save", "organisation": "30", "temporary_hours": "48"},
          "accounts.Organisation: retention_days temporary_hours", "organisation"),
    Write("setup/privacy/looks/", {"looks_told": "later", "looks_told_days": "3"},
          "accounts.Organisation: looks_told looks_told_days looks_by_two", "organisation"),
    Write("setup/privacy/holds/", {"person": "", "team": "{w.team.uuid}", "reason": "A case of Monday"},
          "accounts.LegalHold: +; accounts.HeldPerson: +"),
    Write("setup/privacy/holds/<uuid:uuid>/end/", {}, "accounts.LegalHold: ended_at", "hold"),
    Write("setup/privacy/people/<uuid:uuid>/", {"do": "export"}, idle=True),
    Write("setup/privacy/erasures/<uuid:uuid>/", {}, idle=True),
)  # fmt: skip
WRITES = (*PRIVACY, *CHAT, *ONESELF, *DOORS, *MODELS, *PRICES, *LIMITS, *COMPANY, *ORGANISATION, *PEOPLE, *API)
PLAIN = {
    "accounts/user": "accounts.User: email name language time_zone password_expired session_version;"
    "accounts.User_user_permissions: + -; accounts.Membership: + - team_id role is_primary",
    "accounts/team": "accounts.Team: name cost_centre",
    "accounts/membership": "accounts.Membership: user_id team_id role is_primary",
    "accounts/organisation": "accounts.Organisation: name time_zone language instructions house_rules starters contact currency",
    "providers/provider": "providers.Provider: name base_url proxy dialect enabled max_concurrency key key_hint next_key"
    " next_key_hint",
    "providers/languagemodel": "providers.LanguageModel: slug name description kind enabled position context_window"
    " max_output_tokens first_byte_s; providers.ModelRoute: + - provider_id upstream_name position enabled",
}
"""Django's plain administration: what the form of a table may change. What its form offers is posted as it is offered."""
