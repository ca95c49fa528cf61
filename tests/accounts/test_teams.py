"""Teams: made, filled, paid for, deleted; what a manager sees of the own team, and nobody else; changes count at the next request."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory

from accounts import events, people_queries, teams
from accounts.models import AuditEvent, Membership, Team, User
from accounts.refusals import NotPossible
from tests.accounts.crowd import actions, cost, person, root, said, signed_in, staff

pytestmark = pytest.mark.django_db
LIST = "/setup/teams/"


def page(team: Team, deed: str = "") -> str:
    return f"{LIST}{team.uuid}/{deed}"


def places(user: User) -> dict[str, tuple[str, bool]]:
    rows = Membership.objects.filter(user=user).values_list("team__name", "role", "is_primary")
    return {name: (role, pays) for name, role, pays in rows}


# --- the administration -----------------------------------------------------------------------------------------------------


def test_a_team_is_made_changed_filled_and_deleted_in_the_browser() -> None:
    boss, ada, bob = signed_in(root()), person("ada"), person("bob")
    boss.post(LIST, {"name": "Sales", "cost_centre": "4711"})
    team = Team.objects.get()
    assert (team.name, team.cost_centre) == ("Sales", "4711")
    assert "Ada is in the team." in said(boss, page(team, "members/"), {"person": "ADA@example.com", "role": "manager"})
    said(boss, page(team, "members/"), {"person": "bob@example.com", "role": "member"})
    assert (places(ada), places(bob)) == ({"Sales": ("manager", True)}, {"Sales": ("member", True)})
    said(boss, page(team, f"members/{bob.uuid}/"), {"role": "manager"})
    said(boss, page(team, f"members/{ada.uuid}/"), {"role": "member"})
    assert (places(ada), places(bob)) == ({"Sales": ("member", True)}, {"Sales": ("manager", True)})
    said(boss, page(team, "change/"), {"name": "Vertrieb", "cost_centre": ""})
    said(boss, page(team, f"members/{ada.uuid}/"), {"do": "leave"})
    assert places(ada) == {}
    assert "its people stay" in said(boss, page(team, "delete/"), {})
    assert (Team.objects.count(), User.objects.count()) == (0, 3)
    changed = "person.team_changed"
    assert actions() == ["team.added", *[changed] * 4, "team.changed", changed, "team.deleted"]
    last = AuditEvent.objects.get(action="team.deleted")
    assert last.target_name == "Vertrieb"


def test_a_name_is_taken_once() -> None:
    boss = signed_in(root())
    boss.post(LIST, {"name": "Sales"})
    assert "There is a team with this name already." in boss.post(LIST, {"name": "Sales"}).content.decode()
    boss.post(LIST, {"name": "Desk"})
    desk = Team.objects.get(name="Desk")
    assert "There is a team with this name already." in said(boss, page(desk, "change/"), {"name": "Sales"})
    assert Team.objects.count() == 2


def test_each_deed_needs_its_own_right() -> None:
    team, ada = Team.objects.create(name="Sales"), person("ada")
    looker = signed_in(staff("looker", "view_team"))
    assert looker.get(LIST).status_code == 200
    assert looker.get(page(team)).status_code == 200
    posts = [
        LIST,
        page(team, "change/"),
        page(team, "delete/"),
        page(team, "members/"),
        page(team, f"members/{ada.uuid}/"),
    ]
    posts += [f"/setup/people/{ada.uuid}/teams/", f"/setup/people/{ada.uuid}/teams/{team.uuid}/"]
    for path in posts:
        assert looker.post(path, {"name": "X", "person": "ada@example.com", "role": "member"}).status_code == 403, path
        assert signed_in(ada).post(path, {"name": "X"}).status_code == 403
        assert Client().post(path, {"name": "X"}).status_code == 302
    assert list(Team.objects.values_list("name", flat=True)) == ["Sales"]
    assert places(ada) == {}


@pytest.mark.parametrize("given", [{"person": "nobody@example.com"}, {"person": "off@example.com"}, {"role": "king"}])
def test_who_is_no_active_colleague_joins_no_team(given: dict[str, str]) -> None:
    person("off", is_active=False), person("ada")
    team = Team.objects.create(name="Sales")
    fields = {"person": "ada@example.com", "role": "member"} | given
    answer = signed_in(root()).post(page(team, "members/"), fields)
    assert (answer.status_code, Membership.objects.count()) == (400, 0)


def test_a_team_of_somebody_else_is_not_changed_through_this_one() -> None:
    boss, ada = signed_in(root()), person("ada")
    here, there = Team.objects.create(name="Here"), Team.objects.create(name="There")
    Membership.objects.create(user=ada, team=there)
    assert boss.post(page(here, f"members/{ada.uuid}/"), {"do": "leave"}).status_code == 404
    assert places(ada) == {"There": ("member", True)}


# --- who pays ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(rf: RequestFactory) -> Any:
    return rf.get("/")


def test_exactly_one_team_of_a_person_pays(asked: Any) -> None:
    boss, ada = root(), person("ada")
    one, two, three = (Team.objects.create(name=name) for name in ("One", "Two", "Three"))
    for team in (one, two, three):
        teams.set_role(ada, team=team, role="member", by=boss, request=asked)
    assert places(ada) == {"One": ("member", True), "Two": ("member", False), "Three": ("member", False)}
    teams.let_pay(ada, team=three, by=boss, request=asked)
    assert [name for name, (_role, pays) in places(ada).items() if pays] == ["Three"]
    teams.leave(ada, team=three, by=boss, request=asked)
    assert [name for name, (_role, pays) in places(ada).items() if pays] == ["One"]
    teams.delete(one, by=boss, request=asked)
    assert places(ada) == {"Two": ("member", True)}
    with pytest.raises(NotPossible, match="not_in_team"):
        teams.let_pay(ada, team=three, by=boss, request=asked)


def test_the_page_of_a_person_lets_another_team_pay() -> None:
    boss, ada = signed_in(root()), person("ada")
    one, two = Team.objects.create(name="One"), Team.objects.create(name="Two")
    for team in (one, two):
        said(boss, f"/setup/people/{ada.uuid}/teams/", {"team": str(team.uuid), "role": "member"})
    assert "From now on Two pays." in said(boss, f"/setup/people/{ada.uuid}/teams/{two.uuid}/", {"do": "pay"})
    assert places(ada)["Two"] == ("member", True)
    assert "No longer in Two." in said(boss, f"/setup/people/{ada.uuid}/teams/{two.uuid}/", {"do": "leave"})
    assert places(ada) == {"One": ("member", True)}


@pytest.mark.django_db(transaction=True)
def test_two_first_teams_at_once_leave_one_that_pays() -> None:
    ada, boss = person("ada"), root()
    start = threading.Barrier(4)

    def go(team: Team) -> None:
        start.wait()
        teams.set_role(ada, team=team, role="member", by=boss, request=RequestFactory().get("/"))
        connection.close()

    made = [Team.objects.create(name=f"T{n}") for n in range(4)]
    threads = [threading.Thread(target=go, args=(team,)) for team in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pays for _role, pays in places(ada).values()) == [False, False, False, True]


# --- a manager --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sales() -> Team:
    team, other = Team.objects.create(name="Sales", cost_centre="4711"), Team.objects.create(name="Desk")
    for name, role in (("mia", "manager"), ("ada", "member")):
        Membership.objects.create(user=person(name, default_model="secret-model"), team=team, role=role)
    Membership.objects.create(user=person("bob"), team=other)
    Membership.objects.create(user=person("gone", is_active=False), team=team)
    return team


def test_a_manager_sees_the_members_of_the_own_team_and_nothing_else(sales: Team) -> None:
    mia = signed_in(User.objects.get(name="Mia"))
    words = mia.get("/me/team/").content.decode()
    for shown in ("Sales", "ada@example.com", "Mia"):
        assert shown in words
    for hidden in ("bob@example.com", "gone@example.com", "Desk", "4711", "secret-model"):
        assert hidden not in words
    assert mia.get(f"/me/team/{sales.uuid}/").status_code == 200
    assert mia.get(f"/me/team/{Team.objects.get(name='Desk').uuid}/").status_code == 404
    assert mia.post("/me/team/").status_code == 405
    assert 'href="/me/team/"' in mia.get("/me/").content.decode()
    for closed in (
        "/setup/teams/",
        "/setup/people/",
        page(sales),
        f"/setup/people/{User.objects.get(name='Ada').uuid}/",
    ):
        assert mia.get(closed).status_code == 403, closed


def test_a_teammate_and_a_stranger_see_no_team(sales: Team) -> None:
    for name in ("Ada", "Bob"):
        client = signed_in(User.objects.get(name=name))
        assert client.get("/me/team/").status_code == 404
        assert client.get(f"/me/team/{sales.uuid}/").status_code == 404
        assert "/me/team/" not in client.get("/me/").content.decode()
    assert Client().get("/me/team/")["Location"] == "/accounts/login/?next=/me/team/"


def test_a_role_counts_at_the_next_request_of_an_open_session(sales: Team, asked: Any) -> None:
    ada, boss = User.objects.get(name="Ada"), root()
    hers = signed_in(ada)
    assert hers.get("/me/team/").status_code == 404
    teams.set_role(ada, team=sales, role="manager", by=boss, request=asked)
    assert hers.get("/me/team/").status_code == 200
    teams.leave(ada, team=sales, by=boss, request=asked)
    assert hers.get("/me/team/").status_code == 404


def test_other_rooms_hear_of_every_change(monkeypatch: pytest.MonkeyPatch, asked: Any) -> None:
    heard: list[User] = []
    monkeypatch.setattr(events, "_on_rights_changed", [heard.append])
    boss, ada, team = root(), person("ada"), Team.objects.create(name="T")
    teams.set_role(ada, team=team, role="member", by=boss, request=asked)
    teams.set_role(ada, team=team, role="member", by=boss, request=asked)  # no change
    teams.set_role(ada, team=team, role="manager", by=boss, request=asked)
    teams.delete(team, by=boss, request=asked)
    assert heard == [ada] * 3


def test_the_lists_cost_the_same_with_one_and_three(sales: Team) -> None:
    boss, mia = signed_in(root()), signed_in(User.objects.get(name="Mia"))
    costs = [[cost(boss, LIST), cost(boss, page(sales)), cost(mia, "/me/team/")]]
    for number in range(2):
        Membership.objects.create(user=person(f"p{number}"), team=sales)
        Team.objects.create(name=f"T{number}")
    costs.append([cost(boss, LIST), cost(boss, page(sales)), cost(mia, "/me/team/")])
    assert costs == [[4, 7, 6], [4, 7, 6]]


def test_a_large_team_comes_in_pages(sales: Team) -> None:
    made = User.objects.bulk_create([User(email=f"p{n:03}@example.com", password="!") for n in range(120)])
    Membership.objects.bulk_create([Membership(user=user, team=sales) for user in made])
    first = people_queries.members(sales.pk)
    second = people_queries.members(sales.pk, cursor=first.next_cursor)
    third = people_queries.members(sales.pk, cursor=second.next_cursor)
    assert [len(each.people) for each in (first, second, third)] == [50, 50, 22]
    assert third.next_cursor == ""
    assert signed_in(User.objects.get(name="Mia")).get(f"/me/team/?after={first.next_cursor}").status_code == 200
