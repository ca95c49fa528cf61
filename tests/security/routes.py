"""The one table of addresses: who meets what, where. An address that is missing here fails the build (test_routes.py).

Grouped by policy (policies.py). A route is written as the URL resolver spells it.
"""

from __future__ import annotations

from tests.security.callers import CONFIRM, DOOR, IN, LED, NO, NONE
from tests.security.policies import (
    DJANGO,
    DJANGO_CLOSED,
    DJANGO_STAFF,
    ENTRANCE,
    FORM,
    MANAGERS,
    NEVER,
    OWNERS,
    PUBLIC,
    READ,
    SETUP,
    SIGNED_IN,
    WRITE,
    Group,
    Policy,
)
from tests.security.routes_operations import OPERATIONS
from tests.security.routes_privacy import PRIVACY
from tests.security.routes_programs import PROGRAMMING

WAITING = {"/live/", "/health/live"}
"""What portal.asgi answers by itself, before Django. The poll's callers are in test_waiting_routes.py."""

OPEN = (
    # What anybody may open: doors, and links whose token is the credential.
    Group(PUBLIC, FORM, "accounts/signup/ accounts/signup/confirm/<str:token>/ accounts/invitation/<str:token>/"),
    Group(PUBLIC, READ, "accounts/signup/done/ accounts/signup/waits/"),
    Group(PUBLIC, FORM, "accounts/password/reset/ accounts/link/<str:token>/ accounts/email/<str:token>/"),
    Group(PUBLIC, FORM, "accounts/company/<slug:slug>/"),
    Group(PUBLIC, ("GET",), "accounts/company/<slug:slug>/callback/"),
    Group(PUBLIC, WRITE, "accounts/company/<slug:slug>/logout/"),
    Group(PUBLIC, READ, "accounts/password/reset/done/ accounts/password/reset/key/done/", loose=True),
    Group(
        PUBLIC,
        FORM,
        r"""accounts/login/
        accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[-0-9A-Za-z]+)/$""",
        loose=True,
    ),
    Group(PUBLIC, FORM, "accounts/logout/", loose=True, always=True),
    Group(PUBLIC, WRITE, "me/language/", always=True),
    Group(PUBLIC, (), "/", loose=True),
    # Django's own door and its password form lead to ours.
    Group(Policy(DOOR, NO, NO, NO, NO, NO), FORM, "admin/login/", loose=True),
    Group(NEVER, READ, "look/"),
    # Under `runserver` only, where it stands for the poll; without a ticket there is nothing.
    Group(NEVER, ("GET",), "live/<str:generation>"),
)
"""Open, or closed to everybody."""

CONVERSATION = (
    Group(SIGNED_IN, READ, "chat/ chat/list/ chat/token/ chat/limit/ chat/bin/"),
    Group(SIGNED_IN, WRITE, "chat/bin/empty/ chat/messages/ me/announcements/<uuid:uuid>/"),
    Group(
        OWNERS,
        READ,
        """chat/messages/<uuid:uuid>/ chat/messages/<uuid:uuid>/source/ chat/messages/<uuid:uuid>/details/
        chat/generations/<uuid:uuid>/ chat/<uuid:uuid>/ chat/<uuid:uuid>/state/ chat/<uuid:uuid>/organise/""",
    ),
    Group(
        OWNERS,
        WRITE,
        """chat/messages/<uuid:uuid>/edit/ chat/messages/<uuid:uuid>/regenerate/ chat/messages/<uuid:uuid>/continue/
        chat/messages/<uuid:uuid>/retry/ chat/generations/<uuid:uuid>/cancel/ chat/<uuid:uuid>/rename/
        chat/<uuid:uuid>/delete/ chat/<uuid:uuid>/restore/ chat/<uuid:uuid>/delete-for-good/ chat/<uuid:uuid>/seen/""",
    ),
)
ONESELF = (
    Group(SIGNED_IN, FORM, "me/ me/notices/ me/house-rules/"),
    Group(SIGNED_IN, READ, "me/usage/ me/usage/export/"),
    Group(OWNERS, FORM, "me/usage/ask/<uuid:quota>/"),
    Group(SIGNED_IN, READ, "me/trail/ me/sign-ins/ me/company/ me/keys/ accounts/second-factor/"),
    Group(SIGNED_IN, FORM, "me/email/ me/keys/new/", confirmed=True),
    Group(OWNERS, FORM, "me/keys/<uuid:number>/roll/", confirmed=True),
    Group(OWNERS, WRITE, "me/keys/<uuid:number>/revoke/ me/company/<slug:slug>/disconnect/"),
    Group(OWNERS, WRITE, "me/sign-ins/<uuid:number>/end/"),
    Group(MANAGERS, READ, "me/team/ me/team/<uuid:uuid>/"),
    Group(SIGNED_IN, READ, "me/privacy/"),
    Group(SIGNED_IN, WRITE, "me/privacy/export/", confirmed=True),
    # Ends all of the own sign-ins: whoever was signed in stands at the door.
    Group(Policy(DOOR, DOOR, DOOR, DOOR, DOOR, DOOR), WRITE, "me/sign-ins/end/"),
    Group(SIGNED_IN, FORM, "accounts/password/change/", loose=True, always=True),
    # A second factor; what another person has of it does not exist. Who has none proves herself by the password.
    Group(PUBLIC, FORM, "accounts/second-factor/passkeys/", loose=True),
    Group(SIGNED_IN, FORM, "accounts/code/ accounts/passkey/", loose=True),
    Group(SIGNED_IN, FORM, "accounts/confirm/", loose=True),
    Group(
        Policy(DOOR, IN, CONFIRM, CONFIRM, CONFIRM, CONFIRM),
        FORM,
        "accounts/confirm/code/ accounts/confirm/passkey/",
        loose=True,
    ),
    Group(
        SIGNED_IN,
        FORM,
        "accounts/second-factor/app/ accounts/second-factor/codes/new/ accounts/second-factor/passkeys/add/",
        confirmed=True,
        loose=True,
    ),
    Group(OWNERS, READ, "accounts/second-factor/codes/", confirmed=True, loose=True),
    Group(
        OWNERS,
        FORM,
        """accounts/second-factor/app/remove/ accounts/second-factor/passkeys/<int:pk>/
        accounts/second-factor/passkeys/<int:pk>/remove/""",
        confirmed=True,
        loose=True,
    ),
)
"""A person's own settings, keys and sign-ins."""

LIMITS = ("usage.change_quota",)
SITE = "setup/organisation/ setup/look/ setup/announcements/ setup/announcements/<uuid:uuid>/ setup/maintenance/"
SEE_KEYS = ("accounts.view_apikey", "accounts.manage_service_accounts")
ADMINISTRATION = (
    Group(ENTRANCE, READ, "setup/"),
    Group(ENTRANCE, WRITE, "setup/put-away/"),
    Group(SETUP, READ, "setup/models/ setup/models/provider/<uuid:uuid>/", needs=("providers.change_provider",)),
    Group(SETUP, READ, "setup/models/connect/", needs=("providers.change_provider", "providers.add_provider")),
    Group(
        SETUP, FORM, "setup/models/connect/<slug:slug>/", needs=("providers.change_provider", "providers.add_provider")
    ),
    Group(
        SETUP,
        WRITE,
        """setup/models/provider/<uuid:uuid>/test/ setup/models/provider/<uuid:uuid>/key/
        setup/models/provider/<uuid:uuid>/switch/ setup/models/provider/<uuid:uuid>/address/
        setup/models/provider/<uuid:uuid>/power/""",
        needs=("providers.change_provider",),
    ),
    Group(
        SETUP,
        FORM,
        "setup/models/provider/<uuid:uuid>/choose/ setup/models/<uuid:uuid>/",
        needs=("providers.change_provider", "providers.change_languagemodel"),
    ),
    Group(
        SETUP,
        WRITE,
        """setup/models/provider/<uuid:uuid>/names/ setup/models/provider/<uuid:uuid>/fetch/
        setup/models/<uuid:uuid>/order/ setup/models/<uuid:uuid>/teams/ setup/models/<uuid:uuid>/test/
        setup/models/<uuid:uuid>/ways/ setup/models/<uuid:uuid>/providers/
        setup/models/<uuid:uuid>/providers/<uuid:provider>/""",
        needs=("providers.change_provider", "providers.change_languagemodel"),
    ),
    Group(
        SETUP,
        READ,
        "setup/prices/ setup/prices/export/ setup/prices/rates/export/",
        needs=("providers.change_provider",),
    ),
    Group(
        SETUP,
        FORM,
        "setup/prices/<uuid:model>/<uuid:provider>/ setup/prices/rates/",
        needs=("providers.change_provider",),
    ),
    Group(
        SETUP,
        WRITE,
        """setup/prices/fill/ setup/prices/file/ setup/prices/<uuid:uuid>/remove/ setup/prices/rates/file/
        setup/prices/rates/<uuid:uuid>/remove/""",
        needs=("providers.change_provider",),
    ),
    Group(
        SETUP,
        WRITE,
        "setup/prices/rates/currency/",
        needs=("providers.change_provider", "accounts.change_organisation"),
    ),
    Group(
        SETUP,
        READ,
        "setup/limits/ setup/limits/requests/ setup/limits/export/ setup/limits/people/<uuid:person>/",
        needs=LIMITS,
    ),
    Group(
        SETUP,
        FORM,
        """setup/limits/new/ setup/limits/<uuid:uuid>/ setup/limits/requests/<uuid:uuid>/
        setup/limits/calls/<uuid:uuid>/""",
        needs=LIMITS,
    ),
    Group(
        SETUP,
        WRITE,
        "setup/limits/many/ setup/limits/file/ setup/limits/shown/ setup/limits/<uuid:uuid>/remove/",
        needs=LIMITS,
    ),
    Group(SETUP, READ, "setup/company-sign-in/", needs=("accounts.view_ssoconnection",)),
    Group(
        SETUP,
        WRITE,
        "setup/company-sign-in/only/ setup/company-sign-in/days/",
        needs=("accounts.change_ssoconnection", "accounts.change_organisation"),
    ),
    Group(SETUP, FORM, "setup/company-sign-in/new/<slug:kind>/", needs=("accounts.add_ssoconnection",)),
    Group(SETUP, FORM, "setup/company-sign-in/<uuid:uuid>/", needs=("accounts.change_ssoconnection",)),
    Group(
        SETUP,
        WRITE,
        """setup/company-sign-in/<uuid:uuid>/try/ setup/company-sign-in/<uuid:uuid>/teams/
        setup/company-sign-in/<uuid:uuid>/switch/""",
        needs=("accounts.change_ssoconnection",),
    ),
    # It gives rights: superusers only.
    Group(SETUP, WRITE, "setup/company-sign-in/<uuid:uuid>/staff/", without=("accounts.view_user",), confirmed=True),
    Group(SETUP, FORM, "setup/company-sign-in/<uuid:uuid>/remove/", needs=("accounts.delete_ssoconnection",)),
    Group(SETUP, READ, "setup/audit/", needs=("accounts.view_auditevent",)),
    Group(SETUP, WRITE, "setup/audit/export/", needs=("accounts.view_auditevent",)),
    # Superusers only: no permission of staff is enough.
    Group(SETUP, FORM, "setup/sign-in/", without=("accounts.view_user",), confirmed=True),
    Group(SETUP, FORM, SITE, needs=("accounts.change_organisation",)),
    Group(SETUP, WRITE, "setup/look/picture/", needs=("accounts.change_organisation",)),
    Group(SETUP, READ, "setup/house-rules/", needs=("accounts.change_organisation", "accounts.view_user")),
    Group(SETUP, READ, "setup/mail/", needs=("accounts.change_mail",)),
    Group(
        SETUP,
        WRITE,
        "setup/mail/test/ setup/mail/<uuid:number>/again/ setup/mail/<uuid:number>/discard/",
        needs=("accounts.change_mail",),
    ),
    Group(SETUP, READ, "setup/keys/", needs=("accounts.view_apikey",), without=SEE_KEYS),
    Group(
        SETUP,
        WRITE,
        "setup/keys/<uuid:number>/revoke/",
        needs=("accounts.view_apikey", "accounts.delete_apikey"),
        without=SEE_KEYS,
    ),
    # Refused inside, for an account that exists, to whoever may not make keys for it.
    Group(SETUP, FORM, "setup/keys/new/", needs=("accounts.manage_service_accounts",), confirmed=True),
)
"""The organisation, its models and its company sign-in."""

SEE_PEOPLE, CHANGE_PEOPLE, ADD_PEOPLE = "accounts.view_user", "accounts.change_user", "accounts.add_user"
SEE_TEAMS, CHANGE_TEAMS, ADD_TEAMS = "accounts.view_team", "accounts.change_team", "accounts.add_team"
PROGRAMS = "accounts.manage_service_accounts"
COLLEAGUES = (
    Group(SETUP, READ, "setup/people/ setup/people/<uuid:uuid>/", needs=(SEE_PEOPLE,)),
    Group(SETUP, FORM, "setup/people/new/ setup/people/invitations/", needs=(ADD_PEOPLE,)),
    Group(SETUP, WRITE, "setup/people/invitations/file/ setup/people/invitations/<uuid:uuid>/", needs=(ADD_PEOPLE,)),
    Group(SETUP, WRITE, "setup/people/invitations/domains/", needs=(ADD_PEOPLE, "accounts.change_organisation")),
    Group(SETUP, WRITE, "setup/people/<uuid:number>/link/", needs=(CHANGE_PEOPLE,), confirmed=True),
    Group(SETUP, FORM, "setup/people/<uuid:number>/second-factor/", needs=(CHANGE_PEOPLE,), confirmed=True),
    Group(
        SETUP,
        WRITE,
        "setup/people/<uuid:uuid>/sign-out/ setup/people/<uuid:uuid>/reactivate/",
        needs=(SEE_PEOPLE, CHANGE_PEOPLE),
    ),
    # Another address (BODIES) or other rights make it somebody else's account.
    Group(
        SETUP,
        WRITE,
        "setup/people/<uuid:uuid>/rename/ setup/people/<uuid:uuid>/rights/",
        needs=(SEE_PEOPLE, CHANGE_PEOPLE),
        confirmed=True,
    ),
    Group(SETUP, FORM, "setup/people/<uuid:uuid>/deactivate/", needs=(SEE_PEOPLE, CHANGE_PEOPLE)),
    Group(SETUP, WRITE, "setup/people/<uuid:uuid>/approve/", needs=(SEE_PEOPLE, ADD_PEOPLE)),
    Group(
        SETUP,
        WRITE,
        "setup/people/<uuid:uuid>/teams/ setup/people/<uuid:uuid>/teams/<uuid:team>/",
        needs=(SEE_PEOPLE, CHANGE_TEAMS),
    ),
    Group(SETUP, FORM, "setup/programs/", needs=(PROGRAMS,)),
    Group(SETUP, WRITE, "setup/programs/<uuid:uuid>/change/ setup/programs/<uuid:uuid>/power/", needs=(PROGRAMS,)),
    Group(SETUP, READ, "setup/programs/<uuid:uuid>/", needs=(PROGRAMS,), without=(PROGRAMS, SEE_PEOPLE)),
    Group(SETUP, READ, "setup/teams/<uuid:uuid>/", needs=(SEE_TEAMS,)),
    Group(SETUP, READ, "setup/teams/", needs=(SEE_TEAMS,)),
    Group(SETUP, WRITE, "setup/teams/", needs=(SEE_TEAMS, ADD_TEAMS)),
    Group(
        SETUP,
        WRITE,
        """setup/teams/<uuid:uuid>/change/ setup/teams/<uuid:uuid>/members/
        setup/teams/<uuid:uuid>/members/<uuid:person>/""",
        needs=(SEE_TEAMS, CHANGE_TEAMS),
    ),
    Group(SETUP, WRITE, "setup/teams/<uuid:uuid>/delete/", needs=(SEE_TEAMS, "accounts.delete_team")),
)
"""People, programs and teams."""

_TABLES = {
    "accounts/user": "delete",
    "accounts/team": "",
    "accounts/membership": "",
    "accounts/organisation": "add delete",
    "providers/provider": "",
    "providers/languagemodel": "",
    "providers/price": "add change delete",
}
"""Django's plain administration: its tables, and what is closed in each although Django would open it."""


def _table(name: str, closed: str) -> tuple[Group, ...]:
    """The pages of one table. Whoever may change may look."""
    app, _slash, model = name.partition("/")
    see, change, add, delete = (f"{app}.{verb}_{model}" for verb in ("view", "change", "add", "delete"))
    start, row = f"admin/{name}/", f"admin/{name}/<path:object_id>/"

    # What could make an account somebody else's asks for a proof.
    delicate = name == "accounts/user"

    def may_look(route: str, *, confirmed: bool = False) -> Group:
        return Group(DJANGO, READ, route, needs=(see,), without=(see, change), loose=True, confirmed=confirmed)

    # Django itself: adding people takes changing them, too.
    adding = (add, change) if name == "accounts/user" else (add,)

    def may(verb: str, route: str, rights: tuple[str, ...], methods: tuple[str, ...] = FORM) -> Group:
        if verb in closed.split():
            return Group(DJANGO_CLOSED, methods, route, loose=True)
        return Group(DJANGO, methods, route, needs=rights, loose=True, confirmed=delicate and verb != "delete")

    return (
        # The organisation has one row: its list only leads there.
        Group(DJANGO_STAFF, READ, start, loose=True) if "organisation" in name else may_look(start),
        Group(DJANGO_STAFF, READ, row, loose=True),
        may_look(f"{row}history/"),
        may_look(f"{row}change/", confirmed=delicate),
        may("change", f"{row}change/", (change,), WRITE),
        may("add", f"{start}add/", adding),
        may("delete", f"{row}delete/", (delete,)),
    )


PLAIN = (
    *(group for name, closed in _TABLES.items() for group in _table(name, closed)),
    Group(
        DJANGO, FORM, "admin/accounts/user/<id>/password/", needs=("accounts.change_user",), loose=True, confirmed=True
    ),
    Group(DJANGO_STAFF, READ, "admin/ admin/password_change/done/ admin/jsi18n/", loose=True),
    Group(PUBLIC, WRITE, "admin/logout/", loose=True),
    Group(Policy(LED, LED, LED, LED, LED, LED), FORM, "admin/password_change/", loose=True),
    # Tells nothing without a table that the asker may see; what does not exist is found only by staff.
    Group(DJANGO_CLOSED, READ, "admin/autocomplete/", loose=True),
    Group(
        Policy(DOOR, DOOR, DOOR, DOOR, NONE, NONE),
        READ,
        "admin/r/<path:content_type_id>/<path:object_id>/ admin/(?P<url>.*)$",
        loose=True,
    ),
    Group(Policy(DOOR, DOOR, DOOR, DOOR, NONE, IN), READ, "admin/^(?P<app_label>accounts|providers)/$", loose=True),
)
TABLE: tuple[Group, ...] = (
    *OPEN, *CONVERSATION, *ONESELF, *ADMINISTRATION, *PRIVACY, *COLLEAGUES, *PROGRAMMING, *PLAIN, *OPERATIONS,
)  # fmt: skip
BODIES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("api/v1/conversations/<uuid:uuid>/messages/", "api/v1/messages/<uuid:uuid>/edit/"),
        ("application/json", '{"text": "What?"}'),
    ),
    "api/v1/keys/<uuid:uuid>/roll/": ("application/json", '{"keep_hours": 1}'),
    "setup/people/<uuid:uuid>/rename/": ("application/x-www-form-urlencoded", "name=O&email=elsewhere%40example.com"),
    "setup/audit/export/": ("application/x-www-form-urlencoded", "format=csv"),
}
"""What has to be posted before an address looks whose it is, or does anything at all."""
