"""Too many tries at a door: what is counted together, and the answer. axes stands at every door and asks here; accounts.tries counts.

A try is counted before its password is looked at and given back when it was right, so that a thousand tries at once are no more
than ten. Three counts, each over by itself whatever is tried meanwhile:
- this account from this address (or, better, in this browser, when the account has signed in with it before);
- and from a place where the account is not known: this address, whatever the account; this account, whatever the address.
So strangers can neither try many accounts nor one account from many addresses, and cannot keep its owner out of her own places.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
from typing import Any

from axes.handlers.base import AxesHandler
from axes.signals import user_locked_out
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from accounts import clock, devices, tries
from accounts.models import LoginSession, User
from accounts.refusals import wants_json
from accounts.tries import Limit

PAUSE_S = 15 * 60
ACCOUNTS, PLACES = 5, 3
"""How many times SIGN_IN_TRIES an address may fail with all accounts, and an account from all addresses."""
KNOWN = dt.timedelta(days=90)
"""So long an address stays one of the account's own after a sign-in."""


class Handler(AxesHandler):
    """What axes' backend and signals ask."""

    def is_allowed(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        wait = admit(request, account=username(request, credentials))
        vars(request)["lockout_wait"] = wait
        return not wait

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        """The try is counted already; a refused one is answered with 429, by axes' middleware."""
        if request is None or not vars(request).get("lockout_wait"):
            return
        vars(request)["axes_locked_out"] = True
        name = username(request, credentials)
        user_locked_out.send("axes", request=request, username=name, ip_address=address(request))

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """For `manage.py axes_reset…`: of an address, of an account, or of that account from that address."""
        limits = []
        if ip_address and (not username or ip_or_username):
            limits.append(_from(ip_address))
        if username and (not ip_address or ip_or_username):
            limits.append(_to(username.lower()))
        if ip_address and username:
            limits.append(_pair(username.lower(), where=ip_address))
        return tries.forget(*limits)


def admit(request: HttpRequest, *, account: str) -> int:
    """Counts a try to sign in; 0 if it may be made, else the seconds until the next. The same for accounts that do not exist."""
    where, known = place(request, account=account)
    limits = [_pair(account, where=where)]
    if not known:
        limits += [_from(where), _to(account)]
    vars(request)["counted_tries"] = limits
    return tries.take(*limits)


def passed(request: HttpRequest) -> None:
    """The password was right: it counts against nobody, and this account begins anew in this place."""
    limits = vars(request).pop("counted_tries", [])
    tries.forget(*limits[:1])
    tries.give_back(*limits[1:])


def place(request: HttpRequest, *, account: str) -> tuple[str, bool]:
    """What to count this account's tries by, and whether it has signed in there before: the browser, else the address."""
    browser = devices.known(request, email=account)
    where = address(request)
    # Asked even when the browser is known: what can be measured is the same.
    since = clock.now() - KNOWN
    known = LoginSession.objects.filter(user__email=account, address=where, created_at__gt=since).exists()
    return (browser, True) if browser else (where, known)


def forget(user: User) -> None:
    """After a new password, chosen by whoever may: what was tried before does not stand in her way."""
    tries.forget(_to(user.email))


def refuse(request: HttpRequest, *, wait: int) -> None:
    """The answer to this request will be 429, whatever the view says."""
    vars(request)["lockout_wait"] = wait
    vars(request)["axes_locked_out"] = True


def username(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The e-mail as typed, in one spelling, so that capitals do not buy more tries."""
    given = credentials or {}
    name = given.get("email") or given.get("login") or given.get("username") or request.POST.get("login") or ""
    return str(name).strip().lower()[:254]


def address(request: HttpRequest) -> str:
    """Where the try comes from: an IPv4 address, or the /64 that one IPv6 customer holds as a whole.

    REMOTE_ADDR only: the server has already replaced it behind a trusted proxy, and headers are the client's word.
    """
    try:
        found = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return "0.0.0.0"  # noqa: S104  # not bound to: the name of "unknown" (a socket without an address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)


def response(request: HttpRequest, original: HttpResponse | None = None, credentials: Any = None) -> HttpResponse:
    """429, the same words whether the account exists, the password was right or not."""
    minutes = max(1, math.ceil(vars(request).get("lockout_wait", PAUSE_S) / 60))
    if wants_json(request) or request.path_info.startswith("/api/"):
        request_id = getattr(request, "request_id", "")
        message = ngettext(
            "Too many tries. Wait %(minutes)d minute.", "Too many tries. Wait %(minutes)d minutes.", minutes
        ) % {"minutes": minutes}
        error = {"code": "too_many_tries", "message": message, "request_id": request_id}
        answer: HttpResponse = JsonResponse({"error": error}, status=429)
    else:
        answer = render(request, "account/too_many_tries.html", {"minutes": minutes}, status=429)
    answer["Retry-After"] = str(minutes * 60)
    answer["Cache-Control"] = "no-store"
    return answer


def _pair(account: str, *, where: str) -> Limit:
    return Limit(f"sign-in:pair:{account}|{where}", settings.AXES_FAILURE_LIMIT, PAUSE_S)


def _from(where: str) -> Limit:
    return Limit(f"sign-in:from:{where}", settings.AXES_FAILURE_LIMIT * ACCOUNTS, PAUSE_S)


def _to(account: str) -> Limit:
    return Limit(f"sign-in:to:{account}", settings.AXES_FAILURE_LIMIT * PLACES, PAUSE_S)
