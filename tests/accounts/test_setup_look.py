"""The organisation's picture and colour: set by an administrator, seen by everybody, kept in the trail."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts import support
from accounts.models import AuditEvent, Logo, Organisation, User
from tests.accounts.drawing import png

pytestmark = pytest.mark.django_db
LOOK, PICTURE = reverse("setup_accounts:look"), reverse("setup_accounts:picture")


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com"))
    return client


def test_a_colour_is_on_every_page_at_once_as_a_sheet_of_its_own(admin: Client, client: Client) -> None:
    assert "/brand/" not in client.get("/accounts/login/").content.decode()
    assert admin.post(LOOK, {"accent": "#003399", "accent_dark": ""}).status_code == 302
    organisation = Organisation.get()
    assert organisation.accent_dark.startswith("#")
    found = re.search(r'href="(/brand/[^"]+\.css)"', client.get("/accounts/login/").content.decode())
    assert found is not None
    sheet = client.get(found[1])
    assert sheet["Content-Type"] == "text/css; charset=utf-8"
    assert "immutable" in sheet["Cache-Control"]
    assert "--accent:#003399" in sheet.content.decode()
    # The same address is the same for good for whoever is signed in, too.
    assert admin.get(found[1])["Cache-Control"] == sheet["Cache-Control"]
    assert admin.post(LOOK, {"accent": "", "accent_dark": ""}).status_code == 302
    assert "/brand/" not in client.get("/accounts/login/").content.decode()
    events = AuditEvent.objects.filter(action="organisation.changed").order_by("number")
    assert events[0].changes["accent"] == ["", "#003399"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"accent": "#ffcc00"}, "In the light theme #ffcc00 on"),
        ({"accent": "#003399", "accent_dark": "#003399"}, "In the dark theme #003399 on"),
        ({"accent": "red"}, "six digits"),
        ({"accent": "", "accent_dark": "#63c7b2"}, "the light theme, too"),
    ],
)
def test_a_colour_that_cannot_be_read_is_refused_and_changes_nothing(
    admin: Client, given: dict[str, str], says: str
) -> None:
    answer = admin.post(LOOK, given)
    assert says in answer.content.decode()
    assert Organisation.get().accent == ""


@pytest.mark.parametrize(
    "name", ["x", "003399", "003399-63c7b2", "003399-63c7b2-2", "003399-zzzzzz-1", "003399-63c7b2-1x"]
)
def test_no_other_sheet_is_made(client: Client, name: str) -> None:
    assert client.get(f"/brand/{name}.css").status_code == 404


def upload(admin: Client, data: bytes) -> int:
    return admin.post(PICTURE, {"logo": SimpleUploadedFile("x.png", data, content_type="image/png")}).status_code


def test_a_picture_is_written_anew_and_served_so_that_it_can_do_nothing(admin: Client, client: Client) -> None:
    assert upload(admin, png(40, 20)) == 302
    first = Organisation.get().logo
    shown = client.get("/accounts/login/").content.decode()
    assert f'src="/brand/{first}.png"' in shown
    answer = client.get(f"/brand/{first}.png")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert upload(admin, png(41, 20)) == 302
    assert Logo.objects.count() == 1  # the one before is gone
    assert client.get(f"/brand/{first}.png").status_code == 404
    assert admin.post(PICTURE, {"do": "remove"}).status_code == 302
    assert (Organisation.get().logo, Logo.objects.count()) == ("", 0)
    assert AuditEvent.objects.filter(action="organisation.changed").count() == 3


@pytest.mark.parametrize("data", [b"<svg onload='alert(1)'/>", b"GIF89a", b"", png(2000, 1)])
def test_what_is_no_picture_is_refused_and_nothing_is_kept(admin: Client, data: bytes) -> None:
    assert upload(admin, data) == 422
    assert not Logo.objects.exists()


def test_colleagues_do_not_set_it(client: Client) -> None:
    client.force_login(User.objects.create_user("mate@example.com"))
    assert client.get(LOOK).status_code == 403
    assert client.post(PICTURE, {"do": "remove"}).status_code == 403


def test_every_error_page_and_the_sign_in_page_say_whom_to_ask(client: Client) -> None:
    Organisation.get()
    Organisation.objects.update(contact="the IT desk, 4711")
    assert "Whom to ask: the IT desk, 4711." in client.get("/accounts/login/").content.decode()
    assert "Whom to ask: the IT desk, 4711." in client.get("/nothing/").content.decode()
    support.forget()
    shown = client.get("/nothing/", headers={"host": "unknown.example"})
    assert shown.status_code == 400
    assert "Whom to ask" not in shown.content.decode()  # nobody has told this process yet, and it asks no database
