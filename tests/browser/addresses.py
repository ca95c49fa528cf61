"""Every address of the site by name, and which of them lead to no page of ours. Asks nobody.

An address is a page that tests.browser.tour shows, or stands here with the reason, or takes nothing but POST.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.urls.exceptions import Resolver404

NO_PAGES: dict[str, str] = {
    "home": "leads on to the chat",
    "chat:list": "a part of the chat's page, which is shown",
    "chat:token": "a token for the page's script",
    "chat:message": "a part of the chat's page, which is shown",
    "chat:source": "text for the page's script",
    "chat:generation": "a part of the chat's page, which is shown",
    "chat:state": "JSON for the page's script",
    "live/x/": "JSON for the page's script",
    "mfa_list_webauthn": "leads on to the second factors",
    "mfa_login_webauthn": "JSON for the sign-in page's script",
    "api:v1:me": "for programs",
    "api:v1:keys": "for programs",
    "api:v1:key": "for programs",
    "api:v1:usage": "for programs",
    "api:v1:quotas": "for programs",
    "api:v1:conversations": "for programs",
    "api:v1:conversation": "for programs",
    "api:v1:messages": "for programs",
    "api:v1:generation": "for programs",
    "api:v1:models": "for programs",
    "api:v1:schema": "for programs",
    "api:v1:bin": "for programs",
    "api:v1:messages_tree": "for programs",
    "api:v1:message": "for programs",
    "chat:limit": "a part of the chat's page, which is shown",
    "usage:export": "a file",
    "desk_export": "a file",
    "team_desk_export": "a file",
    "months:export": "a file",
    "team_month_export": "a file",
    "limits:export": "a file",
    "prices:export": "a file",
    "prices:rates_export": "a file",
    "metrics": "for monitors",
    "brand_sheet": "a style sheet",
    "brand_logo": "a picture",
    "keeping:receipt_file": "a file",
    "health_live": "for monitors",
    "health_ready": "for monitors",
}
EXAMPLES = {"uuid": "00000000-0000-4000-8000-000000000000", "slug": "x", "str": "x", "int": "1"}


def addresses() -> dict[str, str]:
    """A path of each address by its name; the pages of Django's own administration are Django's."""
    found = _walk(get_resolver(), space="", before="/")
    return {name: path for name, path in found if not path.startswith("/admin/")}


def name_of(path: str) -> str:
    """The name of the address that this path leads to; empty for none."""
    try:
        return resolve(path).view_name
    except Resolver404:
        return ""


def _walk(resolver: URLResolver, *, space: str, before: str) -> Iterator[tuple[str, str]]:
    for pattern in resolver.url_patterns:
        whole = before + _example(pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern, space=inner, before=whole)
        else:
            yield (f"{space}{pattern.name}" if pattern.name else whole.strip("/") + "/"), whole


def _example(pattern: URLPattern | URLResolver) -> str:
    """The pattern with something in each of its places."""
    shape = str(pattern.pattern)
    if shape.startswith("^"):
        return "password/reset/key/1-set-password/"
    for kind, value in EXAMPLES.items():
        for name in pattern.pattern.converters:
            shape = shape.replace(f"<{kind}:{name}>", value)
    return shape
