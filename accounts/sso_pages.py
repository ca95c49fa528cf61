"""The few pages between the button and the session: off to the company, and refused. What is refused is written down."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts import audit, lockout, tries
from accounts.sso_refusals import Refusal
from accounts.tries import Limit

if TYPE_CHECKING:
    from accounts.sso_entry import Way

logger = logging.getLogger("accounts.sso")

WRITTEN, A_MINUTE = 20, 60
"""So many refusals a minute and address are written to the audit trail: nobody fills it from outside."""


def refused(request: HttpRequest, refusal: Refusal, *, way: Way) -> HttpResponse:
    """What happened and what to do now; the exact reason goes to the log and the audit trail."""
    logger.warning("company sign-in %s refused: %s", way.provider, refusal)
    if not tries.take(Limit(f"sso-refused:{lockout.address(request)}", WRITTEN, A_MINUTE)):
        changes = {"why": (None, refusal.code), "detail": (None, refusal.detail)}
        audit.record("sso.refused", request=request, target=way.connection, changes=changes)
    context = {"words": refusal.words, "way": way.name, "code": refusal.code}
    response = render(request, "accounts/company_refused.html", context, status=refusal.words.status)
    response["Cache-Control"] = "no-store"
    return response


def off(request: HttpRequest, *, way: Way, address: str) -> HttpResponse:
    """Sends the browser to the company by a page rather than a redirect: our policy lets no form end at another site."""
    response = render(request, "accounts/company_go.html", {"way": way, "address": address})
    response["Cache-Control"] = "no-store"
    return response
