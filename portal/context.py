"""What every template may use beside the request: the organisation and how this site is set up."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts import sso_ways
from accounts.middleware import organisation_of
from portal.setup import checklist


def site(request: HttpRequest) -> dict[str, Any]:
    """`organisation` and `setup_checklist` (both asked for only if used; None for whoever is no administrator), `mail_is_set_up`."""
    organisation = SimpleLazyObject(lambda: organisation_of(request))
    return {
        "organisation": organisation,
        "mail_is_set_up": bool(settings.EMAIL_URL),
        "setup_checklist": lambda: checklist(request),
        "company_ways": sso_ways.open_ones,
    }
