"""The headers that keep other sites out stand on every answer: pages, errors, redirects, JSON, static files."""

from __future__ import annotations

import pytest
from django.http import HttpResponseBase
from django.test import Client

from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.portal.page_urls")]
WANTED = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "manifest-src": "'self'",
}


def policy(answer: HttpResponseBase) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts if name}


@pytest.mark.parametrize("host", ["testserver", "unknown.example"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/accounts/login/",
        "/me/",
        "/nowhere",
        "/health/live",
        "/static/css/base.css",
        "/admin/",
        *(f"/broken/{how}/" for how in ("400", "403", "404", "413", "500")),
    ],
)
def test_every_answer_keeps_other_sites_out(path: str, host: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root@example.com"))
    for accept in ("text/html", "application/json"):
        answer = client.get(path, headers={"host": host, "accept": accept})
        assert {name: answer.get(name) for name in WANTED} == WANTED
        assert policy(answer) == POLICY
        assert answer["X-Request-ID"]
        answer.close()


def test_static_files_are_for_our_pages_only() -> None:
    answer = Client().get("/static/css/base.css")
    assert "Access-Control-Allow-Origin" not in answer
    answer.close()


def test_the_switch_of_language_leaves_a_cookie_that_scripts_cannot_read() -> None:
    cookie = Client().post("/me/language/", {"language": "zh-hans"}).cookies["django_language"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
