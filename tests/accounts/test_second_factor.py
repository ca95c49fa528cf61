"""The second factor: set up, asked for, used once, limited, demanded, lost; never readable in the database."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core import mail as django_mail
from django.db import connection
from django.db.models import F
from django.test import Client

from accounts import mail_sender, second_factor
from accounts.models import AuditEvent, LoginSession, Notice, Organisation, SecondFactor, Tries, User
from tests.accounts.codes import code
from tests.accounts.conftest import PASSWORD, SignIn

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
pytestmark = pytest.mark.django_db


@pytest.fixture
def app(ada: User) -> User:
    """Ada, who has an app and recovery codes."""
    TOTP.activate(ada, SECRET)
    RecoveryCodes.activate(ada)
    return ada


def recovery_codes(user: User) -> list[str]:
    row = Authenticator.objects.get(user=user, type="recovery_codes")
    found: list[str] = row.wrap().get_unused_codes()
    return found


def demand(of: str) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"second_factor": of})


def enrol(client: Client) -> str:
    """Sets up an app through the pages; returns its secret."""
    page = client.get("/accounts/second-factor/app/").content.decode()
    secret = re.search(r"<pre[^>]*>([A-Z2-7]{32})</pre>", page)
    assert secret, page
    answer = client.post("/accounts/second-factor/app/", {"code": code(secret[1])})
    assert answer["Location"] == "/accounts/second-factor/codes/"
    return secret[1]


def second_step(client: Client, typed: str) -> Any:
    return client.post("/accounts/code/", {"code": typed}, REMOTE_ADDR="192.0.2.7")


def test_an_app_is_set_up_and_asked_for_at_the_next_sign_in(client: Client, ada: User, sign_in: SignIn) -> None:
    sign_in()
    secret = enrol(client)
    shown = client.get("/accounts/second-factor/codes/").content.decode()
    assert len(re.findall(r"^(?:<pre[^>]*>)?\d{8}$", shown, re.MULTILINE)) == 10
    assert not re.search(r"^\d{8}$", client.get("/accounts/second-factor/codes/").content.decode(), re.MULTILINE)
    client.post("/accounts/logout/")
    answer = sign_in(next="/me/")
    assert answer["Location"] == "/accounts/code/"
    assert client.get("/me/").status_code == 302
    assert "Second step" in client.get("/accounts/code/").content.decode()
    assert second_step(client, code(secret)).status_code == 200, "the code that set it up is used"
    assert second_step(client, code(secret, steps=1))["Location"] == "/me/"
    assert client.get("/me/").status_code == 200
    assert LoginSession.objects.latest("pk").method == "otp"


def test_the_picture_is_an_image_and_the_page_has_nothing_inline(client: Client, ada: User, sign_in: SignIn) -> None:
    sign_in()
    page = client.get("/accounts/second-factor/app/").content.decode()
    assert 'src="data:image/svg+xml;base64,' in page
    for path in ("", "app/", "passkeys/add/"):
        text = client.get(f"/accounts/second-factor/{path}").content.decode()
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=", text), path


def test_secrets_stand_nowhere_readable_in_the_database(client: Client, ada: User, sign_in: SignIn) -> None:
    sign_in()
    secret = enrol(client)
    rows = str(list(Authenticator.objects.values()))
    assert secret not in rows
    assert not any(each in rows for each in recovery_codes(ada))


def test_a_code_works_once_on_every_process(app: User) -> None:
    now = code(SECRET)
    assert (second_factor.check(app, now), second_factor.check(app, now)) == (True, False)
    assert second_factor.check(app, code(SECRET, steps=-1)) is False, "an older one than the last is used up, too"
    assert second_factor.check(app, code(SECRET, steps=1)) is True


@pytest.mark.parametrize("typed", ["", "000000 ", "12345", "１２３４５６", "x" * 5000, "\x00", "None"])
def test_what_is_no_code_is_refused(app: User, typed: str) -> None:
    assert second_factor.check(app, typed) is False


def test_a_code_may_be_typed_with_a_gap_and_the_phones_clock_be_half_a_minute_off(app: User) -> None:
    early = code(SECRET, steps=-1)
    assert second_factor.check(app, f"{early[:3]} {early[3:]}") is True
    assert second_factor.check(app, code(SECRET, steps=3)) is False


def test_a_recovery_code_works_once(client: Client, app: User, sign_in: SignIn) -> None:
    first = recovery_codes(app)[0]
    sign_in()
    assert second_step(client, first).status_code == 302
    assert LoginSession.objects.latest("pk").method == "recovery"
    assert second_factor.check(app, first) is False
    assert second_factor.check(app, recovery_codes(app)[0]) is True
    assert len(recovery_codes(app)) == 8


def right(check: Callable[[], bool]) -> int:
    """How many of eight at once are told that the code is right."""
    begin, found, guard = threading.Barrier(8), [], threading.Lock()

    def work() -> None:
        begin.wait()
        own = check()
        connection.close()
        with guard:
            found.append(own)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    return found.count(True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_eight_who_use_a_code_at_once_one_is_let_in(app: User, kind: str) -> None:
    given = code(SECRET) if kind == "app" else recovery_codes(app)[3]
    assert right(lambda: second_factor.check(User.objects.get(pk=app.pk), given)) == 1


def test_codes_cannot_be_guessed(client: Client, app: User, sign_in: SignIn) -> None:
    sign_in()
    answers = [second_step(client, "000000").status_code for _ in range(10)]
    assert answers == [200] * 10
    refused = second_step(client, code(SECRET))
    assert (refused.status_code, refused["Retry-After"]) == (429, "900")
    assert second_factor.check(app, code(SECRET)) is False, "programs share the count"
    Tries.objects.update(ends=F("ends") - 901)
    assert second_step(client, code(SECRET)).status_code == 302


def test_over_a_day_there_are_fewer_tries_than_quarters_of_an_hour_would_allow(app: User) -> None:
    for _ in range(5):
        for _ in range(10):
            assert second_factor.attempt(app, "000000")[1] == 0
        Tries.objects.filter(ends__lt=time.time() + 3600).delete()  # the quarter is over, the day is not
    assert second_factor.attempt(app, code(SECRET))[1] > 0


def test_others_tries_do_not_keep_her_out_where_she_was_before(client: Client, app: User, sign_in: SignIn) -> None:
    sign_in()
    second_step(client, code(SECRET, steps=-1))
    client.post("/accounts/logout/")
    stranger = Client()
    stranger.post("/accounts/login/", {"login": app.email, "password": PASSWORD}, REMOTE_ADDR="198.51.100.4")
    for _ in range(12):
        stranger.post("/accounts/code/", {"code": "000000"}, REMOTE_ADDR="198.51.100.4")
    sign_in()
    assert second_step(client, code(SECRET)).status_code == 302


@pytest.mark.parametrize("change", [{"is_active": False}, {"session_version": 9}])
def test_between_password_and_code_an_account_may_be_closed(
    client: Client, app: User, sign_in: SignIn, change: dict[str, Any]
) -> None:
    sign_in()
    User.objects.update(**change)
    assert second_step(client, code(SECRET))["Location"] == "/accounts/login/"
    assert client.get("/me/").status_code == 302
    assert "switched off" in client.get("/accounts/login/").content.decode()


def test_nobody_gets_to_the_second_step_without_the_first(client: Client, app: User) -> None:
    assert client.get("/accounts/code/")["Location"] == "/accounts/login/"
    assert second_step(client, code(SECRET))["Location"] == "/accounts/login/"


@pytest.mark.parametrize(
    ("policy", "staff", "held"),
    [
        (SecondFactor.OPTIONAL, True, False),
        (SecondFactor.STAFF, False, False),
        (SecondFactor.STAFF, True, True),
        (SecondFactor.ALL, False, True),
    ],
)
def test_whoever_must_have_one_sets_it_up_before_anything_else(
    client: Client, ada: User, sign_in: SignIn, policy: str, staff: bool, held: bool
) -> None:
    demand(policy)
    User.objects.update(is_staff=staff)
    sign_in()
    ada.refresh_from_db()
    assert second_factor.demanded_of(ada) is held
    answer = client.get("/me/")
    if not held:
        assert answer.status_code == 200
        return
    assert answer["Location"] == "/accounts/second-factor/"
    refused = client.get("/me/", headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "second_factor_demanded")
    assert client.get("/chat/", headers={"hx-request": "true"})["HX-Redirect"] == "/accounts/second-factor/"
    assert "demands a second factor" in client.get("/accounts/second-factor/").content.decode()
    assert second_factor.check(ada, "000000") is False
    enrol(client)
    assert client.get("/me/").status_code == 200


def test_a_demand_reaches_who_is_signed_in_already_and_company_sign_ins_not(
    client: Client, ada: User, sign_in: SignIn
) -> None:
    sign_in()
    assert client.get("/me/").status_code == 200
    demand(SecondFactor.ALL)
    assert client.get("/me/").status_code == 302
    session = client.session
    session["sign_in_method"] = "sso:acme"
    session.save()
    assert client.get("/me/").status_code == 200


def test_the_last_one_cannot_be_removed_where_one_is_demanded(client: Client, app: User, sign_in: SignIn) -> None:
    sign_in()
    second_step(client, code(SECRET))
    demand(SecondFactor.ALL)
    page = client.post("/accounts/second-factor/app/remove/")
    assert "add another one first" in page.content.decode()
    assert second_factor.enrolled(app)
    demand(SecondFactor.OPTIONAL)
    assert client.post("/accounts/second-factor/app/remove/").status_code == 302
    assert Authenticator.objects.count() == 0, "recovery codes go with it"


@pytest.mark.parametrize("path", ["app/", "app/remove/", "codes/new/", "passkeys/add/"])
def test_an_open_computer_is_not_enough_to_change_it(client: Client, app: User, path: str) -> None:
    client.force_login(app)
    answer = client.get(f"/accounts/second-factor/{path}")
    assert answer["Location"].startswith("/accounts/confirm/?next=")
    posted = client.post(f"/accounts/second-factor/{path}")
    assert posted["Location"].startswith("/accounts/confirm/?next=")
    assert Authenticator.objects.count() == 2


@pytest.mark.parametrize("way", ["password", "code"])
def test_who_proves_it_goes_on_to_what_she_wanted(client: Client, app: User, way: str) -> None:
    client.force_login(app)
    asked = client.post("/accounts/second-factor/codes/new/")["Location"]
    before = recovery_codes(app)
    if way == "password":
        answer = client.post(asked, {"password": PASSWORD, "next": "/accounts/second-factor/codes/new/"})
    else:
        given = {"code": code(SECRET), "next": "/accounts/second-factor/codes/new/"}
        answer = client.post("/accounts/confirm/code/", given)
    assert answer.status_code == 302
    assert recovery_codes(app) != before


def test_a_new_set_of_codes_ends_the_old_one(client: Client, app: User, sign_in: SignIn) -> None:
    sign_in()
    second_step(client, code(SECRET))
    old = recovery_codes(app)
    client.post("/accounts/second-factor/codes/new/")
    assert second_factor.check(app, old[0]) is False
    assert second_factor.check(app, recovery_codes(app)[0]) is True


def test_the_owner_is_told_by_mail_what_was_changed(
    client: Client, ada: User, sign_in: SignIn, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_URL = "smtp://localhost"
    sign_in()
    with django_capture_on_commit_callbacks(execute=True):
        enrol(client)
    mail_sender.deliver_due()
    (letter,) = django_mail.outbox
    assert letter.to == ["ada@example.com"]
    assert "An app for codes was set up" in str(letter.body)


@pytest.fixture
def desk(db: None) -> Client:
    client = Client()
    root = User.objects.create_superuser("root@example.com", PASSWORD, name="Root")
    client.post("/accounts/login/", {"login": root.email, "password": PASSWORD})
    return client


def test_an_administrator_takes_a_lost_one_away_and_the_person_is_told(
    desk: Client, client: Client, app: User, sign_in: SignIn, settings: Any
) -> None:
    settings.EMAIL_URL = "smtp://localhost"
    sign_in()
    second_step(client, code(SECRET))
    path = f"/setup/people/{app.uuid}/second-factor/"
    assert "Remove it" in desk.get(path).content.decode()
    assert desk.post(path).status_code == 302
    assert client.get("/me/").status_code == 302, "signed out everywhere"
    assert not second_factor.enrolled(app)
    mail_sender.deliver_due()
    (letter,) = django_mail.outbox
    assert "Root removed your second factor" in str(letter.body)
    event = AuditEvent.objects.get(action="factor.reset")
    assert event.changes == {"kinds": [["recovery_codes", "totp"], []]}
    assert sign_in(next="/me/")["Location"] == "/me/notices/?next=%2Fme%2F"
    page = client.get("/me/notices/?next=/me/").content.decode()
    assert "Root removed your second factor" in page
    assert client.post("/me/notices/", {"next": "//evil.example"})["Location"] == "/"
    assert Notice.objects.exclude(read_at=None).count() == 1


def test_it_takes_a_fresh_proof_the_right_and_reach(desk: Client, app: User) -> None:
    path = f"/setup/people/{app.uuid}/second-factor/"
    session = desk.session
    session["account_authentication_methods"] = []
    session.save()
    assert desk.post(path)["Location"].startswith("/accounts/confirm/")
    root = User.objects.get(email="root@example.com")
    assert desk.post(f"/setup/people/{root.uuid}/second-factor/").status_code in (302, 403)
    plain = Client()
    plain.force_login(app)
    assert plain.post(path).status_code == 403
    assert Client().post(path).status_code == 302
    assert second_factor.enrolled(app)


def test_services_are_never_asked(ada: User) -> None:
    demand(SecondFactor.ALL)
    service = User.objects.create_user("bot@example.com", None, is_service=True)
    assert second_factor.demanded_of(service) is False
