"""The pages of signing in, second factors, links and mail for the tour, with people in the states that they need. Judges nothing."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING

from tests.processes import PASSWORD

if TYPE_CHECKING:
    from tests.browser.tour import Tour

LOST = "lost-{}@example.com"
# Who sees a page, where it is neither "person" nor "admin". These have signed in a moment ago: some pages ask for that.
WHO = {
    "second-step": "pending",
    "second-factor": "factor",
    "remove-app": "factor",
    "new-codes": "factor",
    "codes": "codes",
    "set-up-app": "codes",
    "add-passkey": "factor",
    "name-passkey": "factor",
    "remove-passkey": "factor",
    "confirm-code": "factor",
    "confirm-passkey": "factor",
    "reset-sent": "nobody",
    "password-chosen": "nobody",
    "email": "factor",
    "email-mail": "factor",
    "bin-empty": "factor",
    "keys-new": "factor",
    "setup-sign-in": "desk",
    "setup-factor": "desk",
    "notices": "factor",
    "one-time-password": "nobody",
    "rescue": "nobody",
    "link-used": "nobody",
    "email-confirm": "nobody",
}
STATUSES = {"link-used": 410}
PREPARE = """
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from accounts import clock, mail, notices, one_time_links
from accounts.models import Mail, Notice, OneTimeLink, User
import json
from tests.accounts.soft_key import SoftKey
language, email, password = given
key = json.loads(SoftKey().make({"publicKey": {"user": {"id": "x"}, "challenge": "AAAA"}}))
user = User.objects.create_user(email, password, name="Lin", language=language)
TOTP.activate(user, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
RecoveryCodes.activate(user)
passkey = Authenticator.objects.create(user=user, type="webauthn", data={"name": "Chrome, Windows", "credential": key})
Notice.objects.create(user=user, kind="link_made", by="Ada Lovelace")
Notice.objects.create(user=user, kind="factor_reset", by="Ada Lovelace")
other = User.objects.create_user("other-" + email, password, language=language)
RecoveryCodes.activate(other)
words = ("ConnectionRefusedError: [Errno 111] Connection refused", "SMTPRecipientsRefused: 550 no such user")
for number, words in enumerate(words):
    Mail.objects.create(kind="invitation", to=f"new{number}@example.com", language="en", subject="Chat: your invitation",
        body="x" if number else "", state="failed", tries=5, error=words)
links = {purpose: one_time_links.make(User.objects.create_user(f"{purpose}-{email}", None, language=language),
    purpose=OneTimeLink.Purpose(purpose))[1] for purpose in ("password", "rescue")}
from django.core import signing
from django.urls import reverse
token = signing.dumps([str(user.uuid), user.session_version, user.email, "lin@example.org"], salt="accounts.email_change")
answer = links | {"email": reverse("email_change", args=[token]), "uuid": str(user.uuid), "passkey": passkey.pk}
"""


def pages(tour: Tour, language: str) -> dict[str, str]:
    """The addresses by name. Makes the people at the first call of a language."""
    home, email = tour.site.url(), LOST.format(language)
    made = tour.made.get(language) or tour.site.django(PREPARE, [language, email, PASSWORD])
    tour.made[language] = made
    tour.cookies["nobody", language] = {}
    tour.cookies["pending", language] = _pending(tour, email)
    keys = tour.site.django(SIGN_IN, [email, f"other-{email}", tour.admin.email])
    for who, key in zip(("factor", "codes", "desk"), keys, strict=True):
        tour.cookies[who, language] = {"sessionid": key}
    return {
        "second-step": f"{home}/accounts/code/",
        "second-factor": f"{home}/accounts/second-factor/",
        "set-up-app": f"{home}/accounts/second-factor/app/",
        "remove-app": f"{home}/accounts/second-factor/app/remove/",
        "new-codes": f"{home}/accounts/second-factor/codes/new/",
        "codes": f"{home}/accounts/second-factor/codes/",
        "add-passkey": f"{home}/accounts/second-factor/passkeys/add/",
        "name-passkey": f"{home}/accounts/second-factor/passkeys/{made['passkey']}/",
        "remove-passkey": f"{home}/accounts/second-factor/passkeys/{made['passkey']}/remove/",
        "confirm": f"{home}/accounts/confirm/?next=/me/",
        "confirm-code": f"{home}/accounts/confirm/code/?next=/me/",
        "confirm-passkey": f"{home}/accounts/confirm/passkey/?next=/me/",
        "reset-sent": f"{home}/accounts/password/reset/done/",
        "password-chosen": f"{home}/accounts/password/reset/key/done/",
        "sign-ins": f"{home}/me/sign-ins/",
        "email": f"{home}/me/email/",
        "email-mail": f"{tour.site.url(1)}/me/email/",
        "notices": f"{home}/me/notices/",
        "one-time-password": home + made["password"],
        "rescue": home + made["rescue"],
        "link-used": f"{home}/accounts/link/none/",
        "email-confirm": home + made["email"],
        "setup-mail": f"{home}/setup/mail/",
        "setup-mail-failed": f"{tour.site.url(1)}/setup/mail/",
        "setup-sign-in": f"{home}/setup/sign-in/",
        "setup-factor": f"{home}/setup/people/{made['uuid']}/second-factor/",
    }


# A session of somebody who has just proved who she is, without the form.
SIGN_IN = """
import time
from django.contrib.auth import login
from accounts.session_store import SessionStore
from django.test import RequestFactory
from accounts.models import User
answer = []
for email in given:
    request = RequestFactory().get("/", REMOTE_ADDR="127.0.0.1")
    request.session, user = SessionStore(), User.objects.get(email=email)
    login(request, user, backend="accounts.backend.PasswordBackend")
    request.session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    request.session["account_authentication_methods_user"] = str(user.pk)
    request.session.save()
    answer.append(request.session.session_key)
"""


def _pending(tour: Tour, email: str) -> dict[str, str]:
    """The cookies of somebody who has given the password and not yet the code."""
    caller = tour.site.caller()
    caller.get("/accounts/login/", headers={"Accept": "text/html"})
    fields = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": caller.cookies.get("csrftoken", "")}
    kind = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
    reply = caller.call("POST", "/accounts/login/", body=urllib.parse.urlencode(fields).encode(), headers=kind)
    led_to = {name.lower(): value for name, value in reply.headers.items()}.get("location")
    assert led_to == "/accounts/code/", (reply.status, led_to, reply.text[:300])
    return caller.cookies
