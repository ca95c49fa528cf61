"""Who may open and use the administration's pages of the company sign-in: strangers, colleagues, staff with one right, administrators."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import SsoConnection, User
from tests.accounts.conftest import PASSWORD
from tests.accounts.test_sso_setup import LIST, page

pytestmark = pytest.mark.django_db
ADDRESSES = ("", "new/oidc/", "{one}", "{one}remove/")
POSTS = ("only/", "days/", "new/oidc/", "{one}", "{one}try/", "{one}teams/", "{one}switch/", "{one}remove/")


def test_strangers_sign_in_first_and_colleagues_see_nothing(client: Client, company: SsoConnection, ada: User) -> None:
    one = f"{company.uuid}/"
    for path in (*ADDRESSES, *POSTS):
        assert client.get(LIST + path.format(one=one)).status_code in (302, 405)
    client.force_login(ada)
    for path in ADDRESSES:
        assert client.get(LIST + path.format(one=one)).status_code == 403
    for path in POSTS:
        assert client.post(LIST + path.format(one=one)).status_code == 403
    company.refresh_from_db()
    assert company.is_enabled


def test_staff_see_and_do_what_their_rights_say(client: Client, company: SsoConnection, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    ada.user_permissions.add(Permission.objects.get(codename="view_ssoconnection"))
    client.force_login(ada)
    text = client.get(LIST).content.decode()
    assert company.name in text
    assert f"{company.uuid}" not in text
    assert "new/oidc" not in text
    assert client.get(page(company)).status_code == 403
    assert client.post(page(company, "remove/")).status_code == 403


def test_every_post_needs_the_form_token(db: None, company: SsoConnection) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(root)
    for path in POSTS:
        assert strict.post(LIST + path.format(one=f"{company.uuid}/")).status_code == 403
