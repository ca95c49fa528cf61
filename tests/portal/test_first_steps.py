"""The first administrator's list: each line from facts, put away per person, no query for colleagues."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Organisation, User
from portal import backups, setup
from providers.models import LanguageModel, ModelRoute, Provider
from tests.usage.making import limit
from usage.rules import first_limits

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@example.com")


@pytest.fixture
def admin(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def steps(user: User) -> list[bool]:
    """Model, organisation, people, limit, address, mail, backup."""
    request = RequestFactory().get("/")
    request.user = user
    found = setup.checklist(request)
    assert found is not None
    return [item.done for item in found.items]


def serve(source: str) -> None:
    provider = Provider.objects.create(name=source, source=source)
    model = LanguageModel.objects.create(slug=source, name=source, enabled=True)
    ModelRoute.objects.create(provider=provider, model=model, upstream_name=source)


def test_every_step_is_computed_from_facts(root: User, settings: Settings, tmp_path: Path) -> None:
    settings.PUBLIC_URL = settings.EMAIL_URL = ""
    settings.DATA_DIR = tmp_path
    assert steps(root) == [False] * 7
    serve("simulator")
    assert steps(root)[0] is False
    serve("database")
    assert steps(root) == [True, False, False, False, False, False, False]
    Organisation.objects.update(name="Pine")
    assert steps(root)[1] is False
    Organisation.objects.update(time_zone="Asia/Shanghai")
    User.objects.create_user("ada@example.com")
    settings.PUBLIC_URL, settings.EMAIL_URL = "https://chat.example.com", "smtp://mail"
    first_limits()
    assert steps(root)[3] is False, "what every portal begins with was set by nobody"
    limit(50, period="month")
    assert steps(root)[6] is False
    backups.folder().mkdir()
    (backups.folder() / "last").touch()
    assert steps(root) == [True] * 7
    Provider.objects.filter(source="database").update(enabled=False)
    User.objects.filter(email="ada@example.com").update(is_active=False)
    assert steps(root) == [False, True, False, True, True, True, True]


def test_for_a_colleague_and_a_stranger_there_is_no_list_and_no_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    request = RequestFactory().get("/")
    for person in (User.objects.create_user("ada@example.com"), AnonymousUser()):
        request.user = person
        with django_assert_num_queries(0):
            assert setup.checklist(request) is None


def test_an_administrator_sees_it_on_the_empty_page_until_she_puts_it_away(admin: Client) -> None:
    assert "First steps" in admin.get("/chat/").content.decode()
    admin.post("/setup/put-away/")
    assert "First steps" not in admin.get("/chat/").content.decode()
    assert "First steps" in admin.get("/setup/").content.decode()
    other = User.objects.create_superuser("second@example.com")
    admin.force_login(other)  # the same browser, another administrator
    assert "First steps" in admin.get("/chat/").content.decode()


def test_what_was_put_away_comes_back(admin: Client) -> None:
    admin.post("/setup/put-away/")
    admin.post("/setup/put-away/", {"back": "1"})
    assert "First steps" in admin.get("/chat/").content.decode()


def test_the_entrance_is_for_administrators_only() -> None:
    assert Client().get("/setup/")["Location"] == "/accounts/login/?next=/setup/"
    colleague = Client()
    colleague.force_login(User.objects.create_user("ada@example.com"))
    for answer in (colleague.get("/setup/"), colleague.post("/setup/put-away/")):
        assert answer.status_code == 403
    page = colleague.get("/chat/").content.decode()
    assert "First steps" not in page
    assert "/setup/" not in page


def test_staff_without_rights_sees_the_entrance_without_the_doors_she_may_not_use() -> None:
    staff = Client()
    staff.force_login(User.objects.create_user("staff@example.com", is_staff=True))
    page = staff.get("/setup/").content.decode()
    assert "/setup/models/" not in page
    assert "/setup/people/new/" not in page


def test_the_pages_carry_nothing_inline(admin: Client) -> None:
    serve("database")
    paths = ["/setup/", "/setup/models/", "/setup/models/connect/", "/setup/models/connect/openai/"]
    paths += ["/setup/organisation/", "/setup/people/new/", f"/setup/models/provider/{Provider.objects.get().uuid}/"]
    for path in paths:
        page = admin.get(path).content.decode()
        assert "<style" not in page
        assert "style=" not in page
        assert " onclick" not in page
