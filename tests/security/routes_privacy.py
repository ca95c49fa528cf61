"""The rows of privacy for the one table of addresses (routes.py): looks, what is kept, exported and erased."""

from __future__ import annotations

from tests.security.policies import FORM, READ, SETUP, WRITE, Group

KEEP = "accounts.manage_privacy"
PRIVACY = (
    # Only whoever was given the right, which is no permission: here that is the administrator, and staff with every
    # permission there is meets a refusal. A superuser without the right does, too: tests/chat/test_opened.py.
    Group(SETUP, FORM, "setup/openings/", without=(KEEP,), confirmed=True),
    Group(SETUP, READ, "setup/openings/<uuid:uuid>/ setup/openings/<uuid:uuid>/<uuid:number>/", without=(KEEP,)),
    Group(SETUP, WRITE, "setup/openings/<uuid:uuid>/end/ setup/openings/<uuid:uuid>/export/", without=(KEEP,)),
    Group(SETUP, WRITE, "setup/openings/<uuid:uuid>/agree/", without=(KEEP,), confirmed=True),
    # Superusers only, about somebody else.
    Group(SETUP, WRITE, "setup/people/<uuid:number>/opening-right/", without=("accounts.view_user",), confirmed=True),
    Group(SETUP, READ, "setup/privacy/", needs=(KEEP,)),
    Group(
        SETUP,
        WRITE,
        "setup/privacy/rules/ setup/privacy/looks/ setup/privacy/holds/ setup/privacy/holds/<uuid:uuid>/end/",
        needs=(KEEP,),
        confirmed=True,
    ),
    Group(SETUP, FORM, "setup/privacy/people/<uuid:uuid>/", needs=(KEEP, "accounts.view_user"), confirmed=True),
    Group(SETUP, FORM, "setup/privacy/erasures/<uuid:uuid>/", needs=(KEEP, "accounts.view_user")),
    Group(SETUP, READ, "setup/privacy/erasures/<uuid:uuid>/file/", needs=(KEEP, "accounts.view_user")),
)
"""Looks into conversations, what is kept, exported and erased."""
