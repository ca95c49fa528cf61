"""The API's rows of the one table of addresses (routes.py): what programs meet, and what machines ask."""

from __future__ import annotations

from tests.security.callers import IN, NO, NONE
from tests.security.policies import PUBLIC, READ, WRITE, Group, api

_KEYS = {f"key_{name}": NO for name in ("full", "stranger", "administrator")}
_OTHERS = dict.fromkeys(("teammate", "stranger", "staff", "key_program", "key_stranger", "token_stranger"), NONE)
# What is said in a conversation is its owner's, also for administrators.
_THREAD = api(
    lacking=("narrow",),
    **_OTHERS,
    **dict.fromkeys(("administrator", "key_administrator", "token_administrator"), NONE),
)
PROGRAMMING = (
    # The doors of the API look at no credential but the one in the body.
    Group(api(nobody=IN), WRITE, "api/v1/auth/token/ api/v1/auth/token/refresh/ api/v1/auth/token/revoke/"),
    Group(api(), READ, "api/v1/me/ api/v1/schema/ api/v1/docs/"),
    Group(api(lacking=("narrow", "program")), ("PATCH",), "api/v1/me/"),
    Group(api(lacking=("narrow",)), READ, "api/v1/keys/"),
    Group(api(lacking=("narrow", "program")), READ, "api/v1/usage/ api/v1/quotas/"),
    Group(api(), READ, "api/v1/models/"),
    Group(api(lacking=("narrow",)), WRITE, "api/v1/ask/"),
    Group(api(lacking=("narrow",)), (*READ, "DELETE"), "api/v1/bin/"),
    Group(_THREAD, ("DELETE",), "api/v1/bin/<uuid:uuid>/"),
    Group(_THREAD, READ, "api/v1/conversations/<uuid:uuid>/tree/ api/v1/messages/<uuid:uuid>/"),
    Group(api(lacking=("narrow",)), (*READ, *WRITE), "api/v1/conversations/"),
    Group(_THREAD, (*READ, "PATCH", "DELETE"), "api/v1/conversations/<uuid:uuid>/"),
    Group(_THREAD, (*READ, *WRITE), "api/v1/conversations/<uuid:uuid>/messages/"),
    Group(_THREAD, READ, "api/v1/generations/<uuid:uuid>/"),
    Group(
        _THREAD,
        WRITE,
        """api/v1/conversations/<uuid:uuid>/restore/ api/v1/conversations/<uuid:uuid>/seen/ api/v1/messages/<uuid:uuid>/edit/
        api/v1/messages/<uuid:uuid>/regenerate/ api/v1/messages/<uuid:uuid>/continue/
        api/v1/messages/<uuid:uuid>/retry/ api/v1/generations/<uuid:uuid>/cancel/""",
    ),
    # No key makes or rolls a key, whatever its scopes.
    Group(api(lacking=("narrow", "program"), **_KEYS), WRITE, "api/v1/keys/"),
    Group(api(lacking=("narrow",), **_OTHERS), (*READ, "DELETE"), "api/v1/keys/<uuid:uuid>/"),
    # An administrator sees and ends everybody's keys, but makes none for somebody else.
    Group(
        api(lacking=("narrow",), administrator=NO, token_administrator=NO, **(_OTHERS | _KEYS | {"key_program": NO})),
        WRITE,
        "api/v1/keys/<uuid:uuid>/roll/",
    ),
    Group(PUBLIC, READ, "health/live health/ready brand/<str:name>.css brand/<str:digest>.png", always=True),
)
"""The API and what machines ask."""
