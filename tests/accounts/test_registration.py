"""Registration for named domains: closed by default, confirmed by mail, approved by an administrator, and the same for all strangers."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.core import mail as outbox
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import authentication, mail_sender, people, registration
from accounts.models import Mail, Organisation, Registration, User
from accounts.refusals import NotPossible
from tests.accounts.crowd import actions, person, root, said, signed_in, staff

pytestmark = pytest.mark.django_db
PASSWORD = "pine needles on paper"
FORM = "/accounts/signup/"
FIELDS = {"email": "li.na@example.com", "name": "Li Na", "password1": PASSWORD, "password2": PASSWORD, "time_zone": ""}


@pytest.fixture(autouse=True)
def open_domain() -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"open_domains": "example.com\n @Example.org, corp.example"})


@pytest.fixture
def with_mail(settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def register(**fields: str) -> Any:
    return Client().post(FORM, FIELDS | fields)


def link_in_the_letter() -> str:
    mail_sender.deliver_due()
    found = re.search(r"http://testserver(/accounts/signup/confirm/[\w-]+/)", str(outbox.outbox[-1].body))
    assert found is not None, outbox.outbox[-1].body
    return found[1]


def who(email: str = "li.na@example.com") -> User:
    return User.objects.get(email=email)


def shown(answer: Any) -> tuple[int, str, str]:
    """All that a stranger sees of an answer."""
    return answer.status_code, answer.get("Location", ""), re.sub(r'value="[^"]*"', "", answer.content.decode())


# --- closed and open --------------------------------------------------------------------------------------------------------


def test_nobody_registers_while_no_domain_is_open() -> None:
    Organisation.objects.update(open_domains=" \n")
    for answer in (Client().get(FORM), register()):
        assert answer.status_code == 403
        assert "No registration here" in answer.content.decode()
    assert (User.objects.count(), Registration.objects.count()) == (0, 0)


def test_nobody_registers_where_only_the_company_signs_in() -> None:
    Organisation.objects.update(sso_only=True)
    assert register().status_code == 403


@pytest.mark.parametrize(
    "email",
    [
        "a@evil.com",
        "a@sub.example.com",
        "a@example.com.evil.com",
        "a@notexample.com",
        "a@exаmple.com",
        '"a@example.com"@evil.com',
    ],
)
def test_only_addresses_of_exactly_these_domains_register(email: str) -> None:
    answer = register(email=email)
    assert answer.status_code == 200
    assert (User.objects.count(), Registration.objects.count()) == (0, 0)


@pytest.mark.parametrize("email", ["a@EXAMPLE.com", "a@example.org", "a@corp.example"])
def test_every_open_domain_counts_in_any_case(email: str) -> None:
    assert register(email=email)["Location"] == "/accounts/signup/done/"
    assert who(email.lower()).awaits_approval


# --- without mail -----------------------------------------------------------------------------------------------------------


def test_without_mail_the_account_waits_and_is_off() -> None:
    register()
    made = who()
    assert (made.name, made.is_active, made.awaits_approval, made.is_staff) == ("Li Na", False, True, False)
    assert actions() == ["registration.asked"]


def test_who_waits_is_told_so_and_may_do_nothing() -> None:
    register()
    client = Client()
    answer = client.post("/accounts/login/", {"login": "li.na@example.com", "password": PASSWORD})
    assert answer["Location"] == "/accounts/signup/waits/"
    assert "waits for approval" in client.get("/accounts/signup/waits/").content.decode()
    assert "_auth_user_id" not in client.session
    for path in ("/chat/", "/me/", "/setup/"):
        assert client.get(path).status_code == 302
    assert client.post("/api/v1/auth/token/", {"email": "li.na@example.com", "password": PASSWORD}).status_code in (
        400,
        401,
        415,
    )
    wrong = client.post("/accounts/login/", {"login": "li.na@example.com", "password": "not this one"})
    assert wrong.status_code == 200
    forced = Client()
    forced.force_login(who())
    assert forced.get("/chat/").status_code == 302
    assert authentication.principal_for_session(forced.session.session_key or "") is None


def test_who_waits_cannot_be_made_active_by_another_door() -> None:
    register()
    with pytest.raises(NotPossible, match="waits"):
        people.reactivate(who(), by=root())
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=who().pk).update(is_active=True)


def test_a_known_address_gets_the_same_answer_and_nothing_is_changed() -> None:
    known = User.objects.create_user("ada@example.com", "another pass phrase", name="Ada")
    assert shown(register(email="ADA@example.com")) == shown(register())
    assert shown(register()) == shown(register(email="new@example.com"))  # waits already
    known.refresh_from_db()
    assert (known.name, known.is_active, known.check_password("another pass phrase")) == ("Ada", True, True)


# --- with mail --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("with_mail")
def test_with_mail_the_address_is_confirmed_first() -> None:
    register()
    assert not User.objects.filter(email="li.na@example.com").exists()
    link = link_in_the_letter()
    client = Client()
    page = client.get(link)
    assert (page.status_code, page["Referrer-Policy"]) == (200, "strict-origin")
    assert client.post(link, {"password": PASSWORD})["Location"] == "/accounts/signup/waits/"
    assert (who().is_active, who().awaits_approval, who().check_password(PASSWORD)) == (False, True, True)
    assert client.get(link).status_code == 404
    assert Registration.objects.count() == 0


@pytest.mark.usefixtures("with_mail")
def test_a_link_in_a_mailbox_alone_makes_no_account_for_somebody_elses_password() -> None:
    """Somebody registered a colleague's address: the colleague clicks, but does not know that password."""
    register()
    link = link_in_the_letter()
    for number in range(registration.MOST_TRIES):
        assert Client().get(link).status_code == 200, number
        assert Client().post(link, {"password": "my own password"}).status_code == 200
    assert Client().get(link).status_code == 404
    assert Client().post(link, {"password": PASSWORD}).status_code == 404
    assert not User.objects.exists()


@pytest.mark.usefixtures("with_mail")
def test_a_second_form_does_not_spoil_the_first() -> None:
    register()
    first = link_in_the_letter()
    register(password1="a stranger's phrase", password2="a stranger's phrase")
    Client().post(first, {"password": PASSWORD})
    assert who().check_password(PASSWORD)
    assert Registration.objects.count() == 0  # the stranger's is gone with it


@pytest.mark.usefixtures("with_mail")
def test_a_link_that_is_too_old_is_over() -> None:
    register()
    link = link_in_the_letter()
    Registration.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert Client().post(link, {"password": PASSWORD}).status_code == 404
    assert registration.sweep() == 1


@pytest.mark.usefixtures("with_mail")
def test_a_known_address_is_told_by_mail_only_and_the_stranger_sees_no_difference() -> None:
    User.objects.create_user("ada@example.com", "another pass phrase")
    assert shown(register(email="ada@example.com")) == shown(register(email="new@example.com"))
    assert list(Mail.objects.order_by("pk").values_list("kind", flat=True)) == ["registration_known", "registration"]
    assert Registration.objects.count() == 2
    mail_sender.deliver_due()
    letter = next(each for each in outbox.outbox if each.to == ["ada@example.com"])
    assert "confirm/" not in str(letter.body)


@pytest.mark.usefixtures("with_mail")
def test_a_letter_to_an_unknown_address_says_nothing_that_the_stranger_wrote() -> None:
    register(name="Win http://evil.example now")
    mail_sender.deliver_due()
    assert "evil" not in str(outbox.outbox[-1].message())


@pytest.mark.usefixtures("with_mail")
def test_nobody_is_bombed_with_our_mail() -> None:
    for _again in range(10):
        register()
    assert Mail.objects.filter(to="li.na@example.com").count() == 5


def test_one_place_registers_so_many_an_hour() -> None:
    client = Client()
    answers = [client.post(FORM, FIELDS | {"email": f"p{n}@example.com"}).status_code for n in range(22)]
    assert answers == [302] * 20 + [429] * 2
    assert User.objects.count() == 20


# --- who decides ------------------------------------------------------------------------------------------------------------


def test_an_administrator_lets_somebody_in_or_declines() -> None:
    register()
    register(email="bob@example.com")
    boss = signed_in(root())
    page = boss.get("/setup/people/?show=waiting").content.decode()
    assert "li.na@example.com" in page
    assert "2 people have registered and wait for approval." in boss.get("/setup/people/").content.decode()
    assert "Let in." in said(boss, f"/setup/people/{who().uuid}/approve/", {"do": "approve"})
    assert "Declined." in said(boss, f"/setup/people/{who('bob@example.com').uuid}/approve/", {"do": "decline"})
    assert (who().is_active, who().awaits_approval) == (True, False)
    assert not User.objects.filter(email="bob@example.com").exists()
    client = Client()
    client.post("/accounts/login/", {"login": "li.na@example.com", "password": PASSWORD})
    assert client.get("/chat/").status_code == 200
    assert actions() == ["registration.asked"] * 2 + ["registration.approved", "registration.declined"]


@pytest.mark.usefixtures("with_mail")
@pytest.mark.parametrize(("do", "kind"), [("approve", "registration_approved"), ("decline", "registration_declined")])
def test_the_decision_is_told_by_mail(do: str, kind: str) -> None:
    made = person("li.na", is_active=False, awaits_approval=True, language="zh-hans")
    assert "a letter says so" in said(signed_in(root()), f"/setup/people/{made.uuid}/approve/", {"do": do})
    letter = Mail.objects.get()
    assert (letter.to, letter.kind, letter.language) == ("li.na@example.com", kind, "zh-hans")


def test_two_who_decide_at_once_do_not_both_decide() -> None:
    register()
    boss = signed_in(root())
    own = f"/setup/people/{who().uuid}/approve/"
    said(boss, own, {"do": "approve"})
    for do in ("decline", "approve"):
        assert "Somebody has decided about this registration already." in said(boss, own, {"do": do})
    assert who().is_active


def test_only_who_may_add_people_decides() -> None:
    register()
    own = f"/setup/people/{who().uuid}/approve/"
    assert Client().post(own, {"do": "approve"}).status_code == 302
    for client in (signed_in(person("ada")), signed_in(staff("helper", "view_user", "change_user"))):
        assert client.post(own, {"do": "approve"}).status_code == 403
    assert who().awaits_approval


def test_nobody_but_who_waits_is_let_in_or_declined() -> None:
    ada = person("ada")
    said(signed_in(root()), f"/setup/people/{ada.uuid}/approve/", {"do": "decline"})
    assert User.objects.filter(pk=ada.pk).exists()


def test_nothing_that_is_smuggled_in_counts() -> None:
    register(is_staff="on", is_superuser="on", is_active="on", awaits_approval="", language="tlh")
    assert (who().is_staff, who().is_superuser, who().is_active, who().awaits_approval) == (False, False, False, True)
