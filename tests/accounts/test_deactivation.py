"""Switching a colleague off: what ends with it, who takes what over, and what stays ended when she comes back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import api_keys, authentication, belongings, events, one_time_links, people, service_accounts, teams
from accounts.models import ApiKey, AuditEvent, LoginSession, Membership, OneTimeLink, Team, User
from accounts.refusals import NotPossible
from accounts.session_store import stored
from chat import messages
from chat.models import Generation
from tests.accounts.crowd import actions, cost, person, root, said, signed_in, staff
from tests.chat import scene

pytestmark = pytest.mark.django_db


def key_of(user: User) -> str:
    return api_keys.make(user, name="k", scopes=["chat"], by=user.owner)[1]


def page(user: User, deed: str) -> str:
    return f"/setup/people/{user.uuid}/{deed}/"


def test_every_credential_of_the_person_ends_and_nobody_elses() -> None:
    ada, bob = person("ada"), person("bob")
    clients, secrets = [signed_in(ada), signed_in(bob)], [key_of(ada), key_of(bob)]
    _link, path = one_time_links.make(ada, purpose=OneTimeLink.Purpose.PASSWORD)
    assert people.deactivate(ada, by=root())
    assert [client.get("/me/").status_code for client in clients] == [302, 200]
    assert authentication.principal_for_session(clients[0].session.session_key or "") is None
    with pytest.raises(authentication.Unauthenticated):
        authentication.authenticate({"authorization": f"Bearer {secrets[0]}"}, address="192.0.2.1")
    assert authentication.authenticate({"authorization": f"Bearer {secrets[1]}"}, address="192.0.2.1").user() == bob
    assert one_time_links.find(path.rstrip("/").rpartition("/")[2]) is None
    living = LoginSession.objects.filter(ended_at=None)
    assert set(living.values_list("user__email", flat=True)) == {"bob@example.com"}
    ada.refresh_from_db()
    assert ada.deactivated_at is not None
    assert Session.objects.count() == 1 + (
        Session.objects.filter(pk=stored(clients[0].session.session_key or "")).exists()
    )


def test_what_has_ended_stays_ended_when_the_person_comes_back() -> None:
    boss, ada = root(), person("ada")
    hers, secret = signed_in(ada), key_of(ada)
    people.deactivate(ada, by=boss)
    assert people.reactivate(ada, by=boss)
    ada.refresh_from_db()
    assert (ada.is_active, ada.deactivated_at) == (True, None)
    assert hers.get("/me/").status_code == 302
    assert api_keys.find(secret, address="192.0.2.1") is None
    assert signed_in(ada).get("/me/").status_code == 200
    assert actions() == ["key.made", "person.deactivated", "person.activated"]


def test_a_repeat_changes_nothing_and_says_so() -> None:
    boss, ada = root(), person("ada")
    assert people.deactivate(ada, by=boss)
    first = User.objects.get(pk=ada.pk)
    assert not people.deactivate(ada, by=boss)
    assert User.objects.get(pk=ada.pk).session_version == first.session_version
    assert people.reactivate(ada, by=boss)
    assert not people.reactivate(ada, by=boss)
    assert actions() == ["person.deactivated", "person.activated"]


def test_her_answers_stop_and_nobody_elses() -> None:
    model = scene.model()
    ada, bob = person("ada"), person("bob")
    running = scene.queue(ada, 1, model=model)[0]
    others = scene.queue(bob, 1, model=model)[0]
    hands = scene.Hands()
    hands.take(2)
    queued = scene.queue(ada, 1, model=model)[0]
    people.deactivate(ada, by=root())
    for each in (running, others, queued):
        each.refresh_from_db()
    assert queued.state == Generation.State.CANCELLED
    assert running.cancel_requested_at is not None
    assert (others.state, others.cancel_requested_at) == (Generation.State.RUNNING, None)


def test_a_question_that_was_on_its_way_is_not_asked() -> None:
    """The request had read the person before she was cut off."""
    scene.model()
    ada = person("ada")
    stale = User.objects.get(pk=ada.pk)
    people.deactivate(ada, by=root())
    with pytest.raises(messages.Refused):
        scene.ask(stale)
    assert Generation.objects.count() == 0


def test_a_room_that_fails_takes_the_whole_deed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(user: User) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(events, "_on_cut", [*events._on_cut, fail])
    ada = person("ada")
    hers = signed_in(ada)
    with pytest.raises(RuntimeError):
        people.deactivate(ada, by=root())
    assert hers.get("/me/").status_code == 200
    assert actions() == []


# --- what she owns --------------------------------------------------------------------------------------------------------


@pytest.fixture
def leaver(rf: Any) -> User:
    """Owns two programs, one of them off, and manages a team."""
    ada, boss = person("ada"), root()
    request = rf.get("/")
    for name in ("Report", "Old"):
        service_accounts.make(name=name, owner=ada, by=boss, request=request)
    User.objects.filter(name="Old").update(is_active=False)
    team = teams.make(name="Sales", cost_centre="", by=boss, request=request)
    teams.set_role(ada, team=team, role="manager", by=boss, request=request)
    return ada


def owner_of(name: str) -> User | None:
    return User.objects.get(name=name).owner


def test_the_page_shows_what_the_person_owns_and_asks_who_takes_it_over(leaver: User) -> None:
    words = signed_in(User.objects.get(email="root@example.com")).get(page(leaver, "deactivate")).content.decode()
    for text in (
        "Report",
        "Sales",
        "Accounts of programs",
        "Teams managed",
        "E-mail of the colleague who takes it over",
    ):
        assert text in words
    assert "Old" not in words
    assert [each.kind.slug for each in belongings.of(leaver)] == ["teams", "programs"]


def test_an_heir_gets_the_programs_and_the_teams(leaver: User) -> None:
    bob = person("bob")
    secret = key_of(User.objects.get(name="Report"))
    boss = signed_in(User.objects.get(email="root@example.com"))
    assert "Switched off." in said(boss, page(leaver, "deactivate"), {"heir": " BOB@example.com"})
    assert (owner_of("Report"), owner_of("Old")) == (bob, bob)
    assert User.objects.get(name="Report").is_active
    assert api_keys.find(secret, address="192.0.2.1") is not None
    roles = dict(Membership.objects.values_list("user__name", "role"))
    assert roles == {"Ada": "member", "Bob": "manager"}
    changes = AuditEvent.objects.get(action="person.deactivated")
    assert "Bob" in str(changes.private) + str(changes.changes)


def test_without_an_heir_programs_are_switched_off_with_their_keys(leaver: User) -> None:
    secret = key_of(User.objects.get(name="Report"))
    assert people.deactivate(leaver, by=User.objects.get(email="root@example.com"))
    assert not User.objects.get(name="Report").is_active
    assert api_keys.find(secret, address="192.0.2.1") is None
    assert Membership.objects.get().role == "manager"
    words = signed_in(User.objects.get(email="root@example.com")).get("/setup/teams/").content.decode()
    assert "no manager" in words


@pytest.mark.parametrize("heir", ["ada@example.com", "off@example.com", "bot@example.com", "nobody@example.com"])
def test_nobody_inherits_who_is_not_an_active_colleague(leaver: User, heir: str) -> None:
    person("off", is_active=False), person("bot", is_service=True)
    boss = signed_in(User.objects.get(email="root@example.com"))
    words = said(boss, page(leaver, "deactivate"), {"heir": heir})
    assert "No active colleague has this e-mail." in words or "Choose an active colleague" in words
    assert User.objects.get(pk=leaver.pk).is_active


def test_the_verb_itself_refuses_such_heirs(leaver: User) -> None:
    for heir in (leaver, person("off", is_active=False)):
        with pytest.raises(NotPossible, match="no_heir"):
            people.deactivate(leaver, by=None, heir=heir)


def test_another_room_adds_a_kind_of_belongings(leaver: User, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[User, User | None]] = []
    kind = belongings.Kind(
        "assistants", "Assistants", "They go.", lambda who: ["Poet"], lambda who, heir, by: given.append((who, heir))
    )
    monkeypatch.setattr(belongings, "_kinds", dict(belongings._kinds))
    belongings.register(kind)
    boss, bob = User.objects.get(email="root@example.com"), person("bob")
    assert "Poet" in signed_in(boss).get(page(leaver, "deactivate")).content.decode()
    people.deactivate(leaver, by=boss, heir=bob)
    assert given == [(leaver, bob)]


# --- programs -------------------------------------------------------------------------------------------------------------


def test_a_program_is_made_by_whoever_may_and_never_signs_in() -> None:
    maker, ada = staff("maker", "manage_service_accounts"), person("ada")
    client = signed_in(maker)
    client.post("/setup/programs/", {"name": "Nightly report", "owner": "ada@example.com"})
    made = User.objects.get(is_service=True)
    assert (made.name, made.owner, made.is_staff, made.has_usable_password()) == ("Nightly report", ada, False, False)
    assert made.email.endswith("@programs.invalid")
    for path in ("/setup/programs/", f"/setup/programs/{made.uuid}/"):
        assert signed_in(staff("helper" + path.replace("/", ""))).get(path).status_code == 403
        assert client.get(path).status_code == 200
    User.objects.filter(pk=made.pk).update(password=User.objects.get(pk=ada.pk).password)
    sessions = Client()
    sessions.force_login(made)
    assert sessions.get("/chat/").status_code == 302
    assert authentication.principal_for_session(sessions.session.session_key or "") is None


def test_a_program_gets_another_owner_and_is_switched_off_and_on() -> None:
    maker, _ada, bob = staff("maker", "manage_service_accounts"), person("ada"), person("bob")
    client = signed_in(maker)
    client.post("/setup/programs/", {"name": "Report", "owner": "ada@example.com"})
    made = User.objects.get(is_service=True)
    own = f"/setup/programs/{made.uuid}/"
    said(client, f"{own}change/", {"name": "Report 2", "owner": "bob@example.com"})
    made.refresh_from_db()
    assert (made.name, made.owner) == ("Report 2", bob)
    secret = key_of(made)
    said(client, f"{own}power/", {"to": "off"})
    assert ApiKey.objects.filter(revoked_at=None).count() == 0
    assert api_keys.find(secret, address="192.0.2.1") is None
    said(client, f"{own}power/", {"to": "on"})
    assert User.objects.get(pk=made.pk).is_active
    wanted = ["service.made", "service.owner_changed", "key.made", "person.deactivated", "person.activated"]
    assert actions() == wanted


def test_whoever_only_manages_programs_reaches_no_person_through_their_pages() -> None:
    maker, ada = staff("maker", "manage_service_accounts"), person("ada")
    client = signed_in(maker)
    for path in ("", "change/", "power/"):
        own = f"/setup/programs/{ada.uuid}/{path}"
        answer = client.post(own, {"to": "off", "name": "X", "owner": "maker@example.com"}) if path else client.get(own)
        assert answer.status_code == 404
    assert client.get(f"/setup/people/{ada.uuid}/").status_code == 403
    assert User.objects.get(pk=ada.pk).is_active


def test_a_program_never_gets_rights_nor_a_team_to_manage(rf: Any) -> None:
    boss = root()
    made = service_accounts.make(name="Bot", owner=boss, by=boss, request=rf.get("/"))
    with pytest.raises(NotPossible, match="program"):
        people.set_rights(made, by=boss, is_staff=True, is_superuser=True)
    team = Team.objects.create(name="T")
    with pytest.raises(NotPossible, match="program"):
        teams.set_role(made, team=team, role="manager", by=boss, request=rf.get("/"))
    with pytest.raises(NotPossible, match="no_owner"):
        service_accounts.change(made, name="Bot", owner=made, by=boss, request=rf.get("/"))


def test_the_list_of_programs_costs_the_same_with_one_and_three(rf: Any) -> None:
    boss = root()
    client = signed_in(boss)
    costs = []
    for number in range(3):
        service_accounts.make(name=f"Bot {number}", owner=person(f"o{number}"), by=boss, request=rf.get("/"))
        if number in (0, 2):
            costs.append(cost(client, "/setup/programs/"))
    assert costs == [5, 5]


def test_a_cut_that_is_old_stands_on_the_page() -> None:
    ada = person("ada", is_active=False, deactivated_at=timezone.now() - dt.timedelta(days=3))
    words = signed_in(root()).get(f"/setup/people/{ada.uuid}/").content.decode()
    assert "Switch the account on" in words
    assert "Switch the account off" not in words
