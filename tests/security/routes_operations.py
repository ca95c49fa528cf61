"""The addresses of the desk, of months, of the log of calls, of alerts and of monitors, for the table of addresses (routes.py)."""

from __future__ import annotations

from tests.security.policies import FORM, MANAGERS, NEVER, READ, SETUP, WRITE, Group

MONTHS = ("usage.view_closedmonth", "usage.add_closedmonth")
CALLS, ALERTS = ("usage.view_invocation",), ("portal.change_alertsettings",)
OPERATIONS = (
    Group(MANAGERS, READ, "me/team/<uuid:uuid>/desk/ me/team/<uuid:uuid>/desk/<slug:what>.csv"),
    Group(SETUP, READ, "setup/desk/ setup/desk/<slug:what>.csv", needs=("usage.view_rollup",)),
    Group(
        MANAGERS,
        READ,
        "me/team/<uuid:uuid>/months/ me/team/<uuid:uuid>/months/<slug:month>/"
        " me/team/<uuid:uuid>/months/<slug:month>/<slug:what>.csv",
    ),
    Group(
        SETUP,
        READ,
        "setup/months/ setup/months/<slug:month>/ setup/months/<slug:month>/<slug:what>.csv",
        needs=MONTHS[:1],
    ),
    Group(
        SETUP,
        FORM,
        "setup/months/<slug:month>/close/ setup/months/<slug:month>/invoices/<uuid:provider>/<uuid:model>/",
        needs=MONTHS,
    ),
    Group(SETUP, WRITE, "setup/months/rules/", needs=MONTHS),
    Group(MANAGERS, READ, "me/team/<uuid:team>/calls/ me/team/<uuid:team>/calls/<uuid:request_id>/"),
    Group(MANAGERS, WRITE, "me/team/<uuid:team>/calls/export/"),
    Group(SETUP, READ, "setup/calls/ setup/calls/<uuid:request_id>/", needs=CALLS),
    Group(SETUP, WRITE, "setup/calls/export/", needs=CALLS),
    Group(SETUP, FORM, "setup/alerts/", needs=ALERTS),
    Group(SETUP, WRITE, "setup/alerts/test/ setup/alerts/<uuid:uuid>/again/", needs=ALERTS),
    # Whoever has no token of the setting: there is no such page.
    Group(NEVER, READ, "metrics", always=True),
)
