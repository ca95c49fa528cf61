"""Invitations: made and mailed or shown, sent again, withdrawn, accepted once; and what a stranger with a link may and may not."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import threading
from typing import Any

import pytest
from django.core import mail as outbox
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import invitations, mail_sender
from accounts.models import Invitation, Mail, Membership, Organisation, Team, User
from accounts.refusals import NotPossible
from tests.accounts.crowd import actions, cost, person, root, said, signed_in, staff

pytestmark = pytest.mark.django_db
PASSWORD = "pine needles on paper"
ENTERING = {
    "name": "Li Na",
    "password1": PASSWORD,
    "password2": PASSWORD,
    "language": "en",
    "time_zone": "Asia/Shanghai",
}
LIST = "/setup/people/invitations/"


@pytest.fixture
def with_mail(settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def invite(boss: User, email: str = "li.na@example.com", **fields: Any) -> str:
    """By the page without mail; the link it shows, as a local path."""
    answer = signed_in(boss).post(LIST, {"email": email, "days": "7", **fields})
    found = re.search(r'value="http://testserver(/accounts/invitation/[\w-]+/)"', answer.content.decode())
    assert found is not None, answer.content.decode()
    return found[1]


def row(email: str = "li.na@example.com") -> Invitation:
    return Invitation.objects.get(email=email)


# --- making ---------------------------------------------------------------------------------------------------------------


def test_strangers_colleagues_and_staff_without_the_right_invite_nobody() -> None:
    clients = [signed_in(person("ada")), signed_in(staff("helper", "view_user", "change_user"))]
    for path in (LIST, f"{LIST}file/", f"{LIST}domains/"):
        assert Client().post(path, {"email": "x@example.com"}).status_code == 302
        for client in clients:
            assert client.post(path, {"email": "x@example.com", "days": "7"}).status_code == 403
    assert Invitation.objects.count() == 0


def test_without_mail_the_link_is_shown_once_and_only_its_digest_is_stored() -> None:
    boss = root()
    path = invite(boss, email=" Li.Na@Example.com ")
    token = path.rstrip("/").rpartition("/")[2]
    assert len(token) == 43
    assert row().digest == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(list(Invitation.objects.values()))
    assert row().sent_at is None
    again = signed_in(boss).get(LIST).content.decode()
    assert token not in again
    assert "not mailed" in again
    assert (Mail.objects.count(), actions()) == (0, ["invitation.made"])


@pytest.mark.usefixtures("with_mail")
def test_with_mail_a_letter_goes_out_in_the_language_of_the_guest_and_no_link_is_shown() -> None:
    words = said(signed_in(root()), LIST, {"email": "li.na@example.com", "language": "zh-hans", "days": "7"})
    mail_sender.deliver_due()
    letter = outbox.outbox[-1]
    assert letter.to == ["li.na@example.com"]
    assert "邀请" in letter.subject
    link = re.search(r"http://testserver(/accounts/invitation/[\w-]+/)", str(letter.body))
    assert link is not None
    assert link[1] not in words
    assert "on its way to li.na@example.com" in words
    assert row().sent_at is not None
    assert Client().get(link[1]).status_code == 200


def test_nobody_is_invited_twice_nor_invited_who_is_here_already() -> None:
    boss = root()
    person("ada"), person("off", is_active=False), person("waits", is_active=False, awaits_approval=True)
    invite(boss)
    said_of = {
        "li.na@example.com": "Already invited.",
        "ADA@example.com": "Already a colleague.",
        "off@example.com": "Is a colleague whose account is switched off.",
        "waits@example.com": "Has registered and waits for approval.",
    }
    for email, words in said_of.items():
        assert words in said(signed_in(boss), LIST, {"email": email, "days": "7"})
    assert Invitation.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "no address"), ("email", ""), ("days", "0"), ("days", "31"), ("days", "x"), ("language", "tlh")],
)
def test_what_makes_no_sense_invites_nobody(field: str, value: str) -> None:
    answer = signed_in(root()).post(LIST, {"email": "li.na@example.com", "days": "7", field: value})
    assert 'class="error"' in answer.content.decode()
    assert Invitation.objects.count() == 0


def test_only_who_may_change_teams_invites_into_one() -> None:
    team = Team.objects.create(name="Sales")
    helper = staff("helper", "add_user")
    invite(helper, team=str(team.uuid), role="manager")
    assert (row().team, row().role) == (None, "member")
    invite(root(), email="two@example.com", team=str(team.uuid), role="manager")
    assert (row("two@example.com").team, row("two@example.com").role) == (team, "manager")


def test_an_expired_invitation_is_renewed_by_inviting_again() -> None:
    boss = root()
    old = invite(boss)
    Invitation.objects.update(expires_at=timezone.now() - dt.timedelta(minutes=1))
    assert Client().get(old).status_code == 404
    new = invite(boss, name="Li Na")
    assert (Client().get(old).status_code, Client().get(new).status_code) == (404, 200)
    assert row().name == "Li Na"


# --- again, and withdrawn ---------------------------------------------------------------------------------------------------


def test_a_new_link_ends_the_old_one() -> None:
    boss = root()
    old = invite(boss)
    page = signed_in(boss).post(f"{LIST}{row().uuid}/", {"do": "resend"}).content.decode()
    new = re.search(r'value="http://testserver(/accounts/invitation/[\w-]+/)"', page)
    assert new is not None
    assert (Client().get(old).status_code, Client().get(new[1]).status_code) == (404, 200)
    assert actions() == ["invitation.made", "invitation.resent"]


def test_a_withdrawn_invitation_opens_nothing_and_cannot_be_sent_again() -> None:
    boss = root()
    path = invite(boss)
    own = f"{LIST}{row().uuid}/"
    assert "Withdrawn." in said(signed_in(boss), own, {"do": "revoke"})
    assert Client().get(path).status_code == 404
    for deed in ("resend", "revoke"):
        assert "has been answered, replaced or withdrawn" in said(signed_in(boss), own, {"do": deed})
    assert Client().post(path, ENTERING).status_code == 404
    assert not User.objects.filter(email="li.na@example.com").exists()
    invite(boss)  # a new one can be made


def test_the_list_names_every_state() -> None:
    boss = root()
    for name in ("open", "accepted", "revoked", "expired"):
        invite(boss, email=f"{name}@example.com")
    now = timezone.now()
    Invitation.objects.filter(email="accepted@example.com").update(accepted_at=now, user=person("new"))
    Invitation.objects.filter(email="revoked@example.com").update(revoked_at=now)
    Invitation.objects.filter(email="expired@example.com").update(expires_at=now - dt.timedelta(days=1))
    page = signed_in(boss).get(LIST).content.decode()
    for words in ("waits for an answer", "accepted", "withdrawn", "expired"):
        assert words in page


def test_the_list_costs_the_same_with_one_and_three() -> None:
    boss = root()
    client = signed_in(boss)
    costs = []
    for number in range(3):
        invite(boss, email=f"p{number}@example.com")
        if number in (0, 2):
            costs.append(cost(client, LIST))
    assert costs == [7, 7]


# --- accepting --------------------------------------------------------------------------------------------------------------


def test_from_the_link_straight_to_the_empty_chat() -> None:
    team = Team.objects.create(name="Sales")
    path = invite(
        root(), name="Li Na", language="zh-hans", time_zone="Asia/Shanghai", team=str(team.uuid), role="manager"
    )
    visitor = Client()
    page = visitor.get(path).content.decode()
    for words in ("Li Na", "Sales", "li.na@example.com", 'value="zh-hans" selected', 'value="Asia/Shanghai" selected'):
        assert words in page
    answer = visitor.post(path, ENTERING | {"language": "en"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/chat/"
    assert "Li Na" in answer.content.decode()
    made = User.objects.get(email="li.na@example.com")
    assert (made.name, made.language, made.time_zone) == ("Li Na", "en", "Asia/Shanghai")
    assert (made.is_staff, made.is_superuser, made.is_active) == (False, False, True)
    assert made.check_password(PASSWORD)
    assert Membership.objects.values_list("user__name", "role", "is_primary").get() == ("Li Na", "manager", True)
    assert (row().user, row().accepted_at is None) == (made, False)
    assert actions() == ["invitation.made", "invitation.accepted"]


def test_the_page_speaks_the_language_of_the_invitation_until_another_is_chosen() -> None:
    path = invite(root(), language="zh-hans")
    visitor = Client(headers={"accept-language": "en"})
    assert '<html lang="zh-Hans">' in visitor.get(path).content.decode()
    visitor.post("/me/language/", {"language": "en", "next": path})
    assert '<html lang="en">' in visitor.get(path).content.decode()


def test_nothing_that_is_smuggled_into_the_form_counts() -> None:
    path = invite(root())
    evil = {
        "is_staff": "on",
        "is_superuser": "on",
        "email": "boss@example.com",
        "team": "1",
        "id": "1",
        "role": "manager",
    }
    Client().post(path, ENTERING | evil)
    made = User.objects.get(email="li.na@example.com")
    assert (made.is_staff, made.is_superuser, made.memberships.count()) == (False, False, 0)
    assert not User.objects.filter(email="boss@example.com").exists()


def test_a_link_that_was_used_is_over() -> None:
    path = invite(root())
    Client().post(path, ENTERING)
    over, wrong = Client().get(path), Client().get("/accounts/invitation/" + "x" * 43 + "/")
    assert (over.status_code, wrong.status_code) == (404, 404)
    assert "This link does not work" in over.content.decode()
    assert body(over) == body(wrong)
    assert Client().post(path, ENTERING | {"name": "Thief"}).status_code == 404


def body(answer: Any) -> str:
    """Without what differs from page to page: tokens of forms and the address."""
    return re.sub(r'value="[^"]*"', "", answer.content.decode())


@pytest.mark.parametrize(
    "token", ["x", "x" * 5000, "%00", "null", "[]", "../../admin", "%E4%BD%A0", "'", "%27%20OR%201=1--"]
)
def test_odd_tokens_get_the_one_page(token: str) -> None:
    invite(root())
    answer = Client().get(f"/accounts/invitation/{token}/")
    assert answer.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_use_a_link_at_once_one_comes_in() -> None:
    invite(root())
    found = row()
    start = threading.Barrier(8)
    came: list[str] = []
    refused: list[str] = []

    def go(number: int, request: Any) -> None:
        newcomer = invitations.Newcomer(f"N{number}", "", "", None, "")
        start.wait()
        try:
            came.append(invitations.accept(found, newcomer=newcomer, request=request).name)
        except NotPossible as refusal:
            refused.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(n, RequestFactory().get("/"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(came), refused) == (1, ["invitation_over"] * 7)
    assert list(User.objects.filter(email="li.na@example.com").values_list("name", flat=True)) == came


@pytest.mark.parametrize(("guarded", "code"), [(True, "invitation_over"), (False, "known")])
def test_it_is_the_guard_that_refuses_the_second(
    monkeypatch: pytest.MonkeyPatch, rf: RequestFactory, *, guarded: bool, code: str
) -> None:
    """Without it the second one gets as far as the account."""
    invite(root())
    found = row()
    if not guarded:
        monkeypatch.setattr(invitations, "_open", Invitation.objects.all)
    newcomer = invitations.Newcomer("N", "", "", None, "")
    invitations.accept(found, newcomer=newcomer, request=rf.get("/"))
    with pytest.raises(NotPossible) as refusal:
        invitations.accept(found, newcomer=newcomer, request=rf.get("/"))
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("password1", "short", "too short"),
        ("password2", "something else entirely", "The two passwords differ."),
        ("password1", "li.na@example.com", "too similar"),
        ("name", "", "This field is required."),
        ("time_zone", "Mars/Base", "Select a valid choice."),
    ],
)
def test_a_form_that_is_wrong_uses_nothing_up(field: str, value: str, words: str) -> None:
    path = invite(root())
    fields = ENTERING | {field: value}
    if field == "password1":
        fields["password2"] = value
    answer = Client().post(path, fields, headers={"accept-language": "en"})
    assert words in answer.content.decode()
    assert not User.objects.filter(email="li.na@example.com").exists()
    assert Client().post(path, ENTERING).status_code == 302


def test_house_rules_are_agreed_to_on_the_way_in() -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"house_rules": "Be kind."})
    digest = hashlib.sha256(b"Be kind.").hexdigest()
    path = invite(root())
    assert "Be kind." in Client().get(path).content.decode()
    assert Client().post(path, ENTERING).status_code == 200  # not without
    Client().post(path, ENTERING | {"agrees": "on", "rules": digest})
    assert User.objects.get(email="li.na@example.com").house_rules_read == digest


def test_rules_that_changed_meanwhile_are_not_taken_as_read() -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"house_rules": "Be kind."})
    path = invite(root())
    Client().post(path, ENTERING | {"agrees": "on", "rules": hashlib.sha256(b"Be unkind.").hexdigest()})
    assert User.objects.get(email="li.na@example.com").house_rules_read == ""


def test_whoever_is_signed_in_does_not_become_somebody_else() -> None:
    boss = root()
    path = invite(boss)
    answer = signed_in(boss).get(path)
    assert answer.status_code == 409
    assert "Somebody is signed in here" in answer.content.decode()
    assert signed_in(boss).post(path, ENTERING).status_code == 409
    assert Client().get(path).status_code == 200


def test_an_account_that_appeared_meanwhile_is_not_taken_over() -> None:
    path = invite(root())
    user = User.objects.create_user("li.na@example.com", "another pass phrase")
    answer = Client().post(path, ENTERING)
    assert (answer.status_code, "There is an account with this address already." in answer.content.decode()) == (
        409,
        True,
    )
    user.refresh_from_db()
    assert user.check_password("another pass phrase")
    assert row().accepted_at is None


def test_the_link_is_told_to_no_other_page_and_kept_by_nobody() -> None:
    path = invite(root())
    for answer in (Client().get(path), Client().get("/accounts/invitation/nothing/")):
        assert answer["Referrer-Policy"] == "strict-origin"
        assert "no-store" in answer["Cache-Control"]
    page = Client().get(path).content.decode()
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page)


def test_the_form_is_guarded_against_other_sites_and_a_browser_that_sends_only_the_origin() -> None:
    path = invite(root())
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path, ENTERING).status_code == 403
    strict.get(path)
    token = {"csrfmiddlewaretoken": strict.cookies["csrftoken"].value}
    assert strict.post(path, ENTERING | token, headers={"origin": "http://evil.example"}).status_code == 403
    assert strict.post(path, ENTERING | token, headers={"origin": "http://testserver"}).status_code == 302


def test_where_only_the_company_signs_in_there_is_no_password_to_choose() -> None:
    path = invite(root())
    Organisation.objects.update_or_create(pk=1, defaults={"sso_only": True})
    page = Client().get(path).content.decode()
    assert 'name="password1"' not in page
    Client().post(path, ENTERING)
    assert not User.objects.filter(email="li.na@example.com").exists()


def test_a_page_of_an_invitation_costs_little(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    path = invite(root())
    visitor = Client()
    visitor.get(path)
    with django_assert_num_queries(4):  # organisation, invitation, session, the company's ways
        visitor.get(path)
