"""People in the administration: who sees and changes whom, rights that count at once, the last administrator, the list."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts import people, people_queries
from accounts.models import Mail, Membership, Team, User
from accounts.refusals import NotPossible
from tests.accounts.conftest import PASSWORD
from tests.accounts.crowd import actions, cost, person, root, said, signed_in, staff

pytestmark = pytest.mark.django_db
DEEDS = ("rename", "rights", "sign-out", "deactivate", "reactivate")


def page(user: User, deed: str = "") -> str:
    return f"/setup/people/{user.uuid}/{deed}{'/' if deed else ''}"


def test_strangers_colleagues_and_staff_without_the_right_see_nobody() -> None:
    ada, helper, looker = person("ada"), staff("helper"), staff("looker", "view_user")
    for path in ("/setup/people/", page(ada)):
        assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"
        assert signed_in(ada).get(path).status_code == 403
        assert signed_in(helper).get(path).status_code == 403
        assert signed_in(looker).get(path).status_code == 200


@pytest.mark.parametrize("deed", DEEDS)
def test_who_may_only_look_changes_nothing(deed: str) -> None:
    ada, looker = person("ada"), staff("looker", "view_user")
    clients = [signed_in(who) for who in (looker, ada, person("stranger"))]
    before = User.objects.filter(pk=ada.pk).values().get()
    fields = {"name": "X", "email": "x@example.com", "role": "administrator"}
    for client in clients:
        assert client.post(page(ada, deed), fields).status_code == 403
    assert User.objects.filter(pk=ada.pk).values().get() == before
    assert actions() == []


@pytest.mark.parametrize("deed", DEEDS)
def test_staff_never_reaches_administrators_and_other_staff(deed: str) -> None:
    helper = staff("helper", "view_user", "change_user")
    for above in (root(), staff("other")):
        before = User.objects.filter(pk=above.pk).values().get()
        signed_in(helper).post(page(above, deed), {"name": "X", "email": "x@example.com", "role": "colleague"})
        assert User.objects.filter(pk=above.pk).values().get() == before


def test_staff_makes_nobody_an_administrator_nor_staff() -> None:
    helper, ada = staff("helper", "view_user", "change_user", "add_user"), person("ada")
    for role in ("administrator", "staff"):
        words = said(signed_in(helper), page(ada, "rights"), {"role": role, "bundles": ["people"]})
        assert "Only administrators change what somebody may do." in words
    ada.refresh_from_db()
    assert (ada.is_staff, ada.is_superuser, ada.user_permissions.count()) == (False, False, 0)
    assert "What this person may do" not in signed_in(helper).get(page(ada)).content.decode()


def test_an_administrator_makes_administrators_and_staff_with_named_rights() -> None:
    boss, ada = signed_in(root()), person("ada")
    said(boss, page(ada, "rights"), {"role": "staff", "bundles": ["teams", "people"]})
    ada = User.objects.get(pk=ada.pk)
    assert (ada.is_staff, ada.is_superuser) == (True, False)
    assert ada.has_perms(["accounts.change_user", "accounts.delete_team"])
    assert not ada.has_perm("accounts.change_organisation")
    said(boss, page(ada, "rights"), {"role": "administrator", "bundles": ["teams"]})
    ada = User.objects.get(pk=ada.pk)
    assert (ada.is_staff, ada.is_superuser, ada.user_permissions.count()) == (True, True, 0)
    said(boss, page(ada, "rights"), {"role": "colleague"})
    ada = User.objects.get(pk=ada.pk)
    assert (ada.is_staff, ada.is_superuser, ada.user_permissions.count()) == (False, False, 0)
    assert actions() == ["person.rights_changed"] * 3


def test_a_right_that_no_bundle_names_is_left_alone() -> None:
    boss, ada = root(), staff("ada", "view_membership")
    assert not people.set_rights(ada, by=boss, is_staff=True, is_superuser=False)
    assert people.set_rights(ada, by=boss, is_staff=True, is_superuser=False, bundles=["organisation"])
    codenames = set(ada.user_permissions.values_list("codename", flat=True))
    assert codenames == {"view_membership", "change_organisation"}


def test_nobody_changes_the_own_rights_or_switches_the_own_account_off() -> None:
    boss = root()
    root("second")
    for deed, fields in (("rights", {"role": "colleague"}), ("deactivate", {})):
        assert "Nobody does this to the own account." in said(signed_in(boss), page(boss, deed), fields)
    boss.refresh_from_db()
    assert boss.is_superuser
    assert boss.is_active


def test_the_last_administrator_is_neither_demoted_nor_switched_off() -> None:
    only, off = root(), root("gone")
    User.objects.filter(pk=off.pk).update(is_active=False)
    with pytest.raises(NotPossible, match="last_administrator"):
        people.deactivate(only, by=None)
    with pytest.raises(NotPossible, match="last_administrator"):
        people.set_rights(only, by=None, is_staff=False, is_superuser=False)
    second = root("second")
    assert people.set_rights(only, by=second, is_staff=False, is_superuser=False)


def test_an_administrator_who_was_demoted_a_moment_ago_decides_nothing() -> None:
    stale, ada = root(), person("ada")
    root("second")
    User.objects.filter(pk=stale.pk).update(is_superuser=False)
    assert stale.is_superuser  # the object of a request that began before
    with pytest.raises(NotPossible, match="not_yours"):
        people.set_rights(ada, by=stale, is_staff=True, is_superuser=True)


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_demote_each_other_at_once_leave_one() -> None:
    one, two = root("one"), root("two")
    start = threading.Barrier(2)
    refused: list[str] = []

    def demote(person: User, by: User) -> None:
        start.wait()
        try:
            people.set_rights(person, by=by, is_staff=False, is_superuser=False)
        except NotPossible as refusal:
            refused.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=demote, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert User.objects.filter(is_superuser=True).count() == 1
    assert len(refused) == 1


def test_a_demotion_counts_at_the_next_request_of_an_open_session() -> None:
    boss, ada = root(), root("ada")
    hers = signed_in(ada)
    assert hers.get("/setup/people/").status_code == 200
    assert people.set_rights(ada, by=boss, is_staff=False, is_superuser=False)
    assert hers.get("/setup/people/").status_code == 403
    assert people.set_rights(ada, by=boss, is_staff=True, is_superuser=False, bundles=["people"])
    assert hers.get("/setup/people/").status_code == 200


def test_a_name_changes_without_and_an_address_with_a_sign_out() -> None:
    boss, ada = root(), person("ada")
    hers = signed_in(ada)
    assert "Saved." in said(signed_in(boss), page(ada, "rename"), {"name": "Ada L.", "email": "ada@example.com"})
    assert hers.get("/me/").status_code == 200
    said(signed_in(boss), page(ada, "rename"), {"name": "Ada L.", "email": " Lovelace@Example.com "})
    assert hers.get("/me/").status_code == 302
    ada.refresh_from_db()
    assert (ada.name, ada.email) == ("Ada L.", "lovelace@example.com")
    taken = said(signed_in(boss), page(ada, "rename"), {"name": "", "email": "ROOT@example.com"})
    assert "This e-mail is in use." in taken
    assert actions() == ["person.changed", "person.changed"]


@pytest.mark.parametrize("door", ["the person's page", "the plain administration"])
def test_whose_address_is_changed_reads_so_in_the_old_mailbox(settings: Any, door: str) -> None:
    """Otherwise whoever may change people could take an account over with nobody told."""
    settings.EMAIL_URL = "smtp://localhost"
    boss, ada = signed_in(root()), person("ada")
    if door == "the person's page":
        boss.post(page(ada, "rename"), {"name": "Ada", "email": "mine@example.com"})
    else:
        empty = {f"memberships-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
        boss.post(f"/admin/accounts/user/{ada.pk}/change/", {"name": "Ada", "email": "mine@example.com"} | empty)
    ada.refresh_from_db()
    assert ada.email == "mine@example.com"
    assert [(letter.to, letter.kind) for letter in Mail.objects.all()] == [("ada@example.com", "account_notice")]


def test_a_name_is_no_markup() -> None:
    evil = person("eve", language="<b>")
    User.objects.filter(pk=evil.pk).update(name='<script>alert(1)</script>"')
    boss = signed_in(root())
    for path in ("/setup/people/", page(evil), page(evil, "deactivate"), "/setup/people/?q=<script>alert(1)</script>"):
        assert "<script>alert" not in boss.get(path).content.decode()


def test_signing_somebody_out_ends_the_sessions_and_nothing_else() -> None:
    ada = person("ada")
    hers = signed_in(ada)
    assert "Signed out everywhere." in said(signed_in(root()), page(ada, "sign-out"), {})
    assert hers.get("/me/").status_code == 302
    assert User.objects.get(pk=ada.pk).is_active


# --- the list -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd() -> None:
    person("ada"), person("bob"), person("off", is_active=False), staff("helper"), root()
    person("waits", is_active=False, awaits_approval=True)
    person("bot", is_service=True)
    team = Team.objects.create(name="Vertrieb 销售")
    Membership.objects.create(user=User.objects.get(name="Bob"), team=team)


def shown(**asked: str) -> list[str]:
    return [each.name for each in people_queries.find(**asked).people]  # type: ignore[arg-type]  # words only


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize(
    ("show", "names"),
    [
        ("active", ["Ada", "Bob", "Helper", "Root"]),
        ("waiting", ["Waits"]),
        ("staff", ["Helper", "Root"]),
        ("programs", ["Bot"]),
        ("off", ["Off"]),
    ],
)
def test_the_list_is_narrowed_by_what_people_are(show: str, names: list[str]) -> None:
    assert shown(show=show) == names


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize(
    ("text", "names"),
    [("ADA", ["Ada"]), ("bob@exam", ["Bob"]), ("销售", ["Bob"]), ("%", []), ("_", []), ("nobody", []), ("'\"\\", [])],
)
def test_people_are_found_by_name_address_and_team(text: str, names: list[str]) -> None:
    assert shown(text=text) == names
    words = signed_in(User.objects.get(name="Root")).get("/setup/people/", {"q": text}).content.decode()
    assert ("Nobody is found by these words." in words) == (not names)


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("query", ["?show=evil", "?after=%00", "?q=%00", f"?q={'x' * 5000}", "?after=zzz", "?show=off"])
def test_odd_addresses_of_the_list_are_answered(query: str) -> None:
    assert signed_in(User.objects.get(name="Root")).get(f"/setup/people/{query}").status_code == 200


def walk(client: Client, path: str) -> tuple[list[str], int]:
    """Every page of a list by its own links: the names in order, and how many pages there were."""
    names: list[str] = []
    for pages in range(1, 50):
        answer = client.get(path)
        names += [str(each) for each in answer.context["people"]]
        if not answer.context["next_cursor"]:
            return names, pages
        path = f"/setup/people/?after={answer.context['next_cursor']}"
    raise AssertionError("the list has no end")


def many(count: int, *, offset: int = 0) -> None:
    people = [User(email=f"p{n:05}@example.com", name=f"P{n}", password="!") for n in range(offset, offset + count)]
    teams = [Team.objects.get_or_create(name=f"Team {n}")[0] for n in range(3)]
    made = User.objects.bulk_create(people)
    Membership.objects.bulk_create([Membership(user=user, team=teams[n % 3]) for n, user in enumerate(made)])


def test_every_person_stands_on_exactly_one_page() -> None:
    boss = signed_in(root())
    many(120)
    names, pages = walk(boss, "/setup/people/")
    assert pages == 3
    assert names == sorted({*names}, key=lambda name: (name == "Root", int(name[1:]) if name[1:].isdigit() else 0))
    assert len(names) == 121


def test_the_list_costs_the_same_for_one_three_and_ten_thousand_people() -> None:
    boss = signed_in(root())
    costs = []
    for count, offset in ((1, 0), (2, 1), (10_000, 3)):
        many(count, offset=offset)
        costs.append([cost(boss, f"/setup/people/?{query}") for query in ("", "q=p0", "after=a")])
    assert costs == [[LIST] * 3] * 3


LIST = 6
"""Session, person, organisation, how many wait, the people, their teams."""


def test_a_persons_page_costs_the_same_with_one_and_three_teams() -> None:
    boss, ada = signed_in(root()), person("ada")
    costs = []
    for count in (1, 3):
        for number in range(4):
            team = Team.objects.get_or_create(name=f"T{number}")[0]
            if number < count:
                Membership.objects.get_or_create(user=ada, team=team, defaults={"is_primary": number == 0})
        costs.append(cost(boss, page(ada)))
    assert costs == [PERSON, PERSON]


PERSON = 8
"""Session, person, organisation, whose page, her teams, her rights, teams that she could join, her second factor."""


def listener_error(user: User) -> None:
    raise RuntimeError("a room that fails")


def test_whatever_a_listener_raises_takes_the_whole_deed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    listeners: list[Callable[[User], None]] = [listener_error]
    monkeypatch.setattr("accounts.events._on_rights_changed", listeners)
    ada = person("ada")
    with pytest.raises(RuntimeError):
        people.set_rights(ada, by=root(), is_staff=True, is_superuser=False)
    ada.refresh_from_db()
    assert not ada.is_staff
    assert actions() == []


DELICATE: dict[str, tuple[Callable[[User], str], dict[str, str]]] = {
    "another address": (lambda ada: page(ada, "rename"), {"name": "Ada", "email": "mine@example.com"}),
    "other rights": (lambda ada: page(ada, "rights"), {"role": "administrator"}),
    "the plain administration": (
        lambda ada: f"/admin/accounts/user/{ada.pk}/change/",
        {"name": "A", "email": "mine@example.com"},
    ),
    "a password typed there": (
        lambda ada: f"/admin/accounts/user/{ada.pk}/password/",
        {"password1": PASSWORD, "password2": PASSWORD},
    ),
}


@pytest.mark.parametrize("what", DELICATE)
def test_an_open_computer_is_not_enough_to_take_an_account_over(what: str) -> None:
    """Whoever finds one of an administrator's proves first who it is; then it is done as it was asked."""
    where, given = DELICATE[what]
    boss, ada = root(), person("ada")
    boss.set_password(PASSWORD)
    boss.save(update_fields=["password"])
    before = User.objects.filter(pk=ada.pk).values().get()
    client = signed_in(boss)
    answer = client.post(where(ada), given)
    assert answer.status_code == 302 and answer["Location"].startswith("/accounts/confirm/")
    assert User.objects.filter(pk=ada.pk).values().get() == before
    assert client.post(page(ada, "rename"), {"name": "Ada L.", "email": ada.email}).status_code == 302
    assert User.objects.get(pk=ada.pk).name == "Ada L.", "a name alone needs no proof"
    done = client.post(answer["Location"], {"password": PASSWORD}, follow=True)
    assert done.status_code == 200
    if not where(ada).startswith("/admin/"):  # there the form is opened first
        assert User.objects.filter(pk=ada.pk).values().get() | {"name": ""} != before | {"name": ""}
