"""Models for certain teams: who sees and uses them, on every way to a model, and at once; the page, and the trail."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts import api_keys, teams
from accounts.models import AuditEvent, Membership, Team, User
from accounts.refusals import NotPossible
from chat import messages
from chat.messages import Refused
from providers import access
from providers.models import LanguageModel, ModelRoute, Provider

pytestmark = pytest.mark.django_db


def person(name: str) -> User:
    return User.objects.create_user(f"{name}@example.com", None, name=name)


@pytest.fixture
def sales() -> Team:
    return Team.objects.create(name="Sales")


@pytest.fixture
def thorough(sales: Team) -> LanguageModel:
    """For the team only, and first in the list; beside it "quick" for everybody."""
    provider = Provider.objects.create(name="Ours", base_url="http://127.0.0.1:9/v1")
    for position, name in enumerate(("thorough", "quick")):
        model = LanguageModel.objects.create(slug=name, name=name, enabled=True, position=position)
        ModelRoute.objects.create(model=model, provider=provider, upstream_name=name)
    found = LanguageModel.objects.get(slug="thorough")
    LanguageModel.objects.filter(pk=found.pk).update(for_all=False)
    found.teams.add(sales)
    return LanguageModel.objects.get(pk=found.pk)


def slugs(user: User) -> list[list[str]]:
    """What each way of asking offers."""
    return [
        [model.slug for model in access.models_for(user)],
        [model.slug for model in access.choices_for(user)],
        [slug for slug, _name in access.names_for(user)],
        [name for name in ("thorough", "quick") if access.model_for(user, name)],
        [m.slug for m in LanguageModel.objects.order_by("position") if access.model_for(user, str(m.uuid))],
    ]


def test_a_member_a_stranger_and_an_administrator(thorough: LanguageModel, sales: Team) -> None:
    member, stranger = person("member"), person("stranger")
    root = User.objects.create_superuser("root@example.com")
    teams.join(member, team_id=sales.pk, role=Membership.Role.MEMBER)
    assert slugs(member) == [["thorough", "quick"]] * 5
    assert slugs(stranger) == slugs(root) == [["quick"]] * 5
    for user, default in ((member, "thorough"), (stranger, "quick")):
        chosen = access.model_for(user)
        assert chosen is not None and chosen.slug == default
    assert list(access.for_everybody().values_list("slug", flat=True)) == ["quick"]


def test_a_default_of_ones_own_opens_nothing(thorough: LanguageModel) -> None:
    stranger = person("stranger")
    User.objects.filter(pk=stranger.pk).update(default_model="thorough")
    stranger.refresh_from_db()
    assert slugs(stranger) == [["quick"]] * 5


def test_who_leaves_the_team_is_refused_at_the_next_question(thorough: LanguageModel, sales: Team) -> None:
    member = person("member")
    teams.join(member, team_id=sales.pk, role=Membership.Role.MEMBER)
    sent = messages.send(member, text="What?", client_id="9" * 32, model=thorough)
    assert sent.generation is not None and sent.generation.model == thorough
    Membership.objects.filter(user=member).delete()
    with pytest.raises(Refused) as refused:
        messages.send(member, text="And now?", client_id="0" * 32, model=thorough)
    assert refused.value.code == "no_model"
    client = Client()
    client.force_login(member)
    body = {"text": "And now?", "client_id": "1" * 32, "model": "thorough"}
    answer = client.post(
        "/chat/messages/", body, content_type="application/json", headers={"accept": "application/json"}
    )
    assert answer.status_code == 422
    assert "thorough" not in client.get("/chat/").content.decode()


def test_a_model_whose_team_is_gone_is_nobodys_and_not_everybodys(thorough: LanguageModel, sales: Team) -> None:
    member = person("member")
    teams.join(member, team_id=sales.pk, role=Membership.Role.MEMBER)
    sales.delete()
    assert slugs(member) == [["quick"]] * 5


def test_a_key_is_for_models_that_its_account_may_use_and_a_programs_account_has_teams_of_its_own(
    thorough: LanguageModel, sales: Team
) -> None:
    member, stranger = person("member"), person("stranger")
    program = User.objects.create(email="x@programs.invalid", is_service=True, owner=member)
    teams.join(member, team_id=sales.pk, role=Membership.Role.MEMBER)
    assert api_keys.make(member, name="k", scopes=["chat"], models=["thorough"])[0].model_names == ["thorough"]
    for user in (stranger, program):
        with pytest.raises(NotPossible):
            api_keys.make(user, name="k", scopes=["chat"], models=["thorough"], by=user.owner or user)
    teams.join(program, team_id=sales.pk, role=Membership.Role.MEMBER)
    assert slugs(program) == [["thorough", "quick"]] * 5


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com"))
    return client


def test_it_is_chosen_on_the_models_page_and_stands_in_the_trail(
    admin: Client, thorough: LanguageModel, sales: Team
) -> None:
    desk = Team.objects.create(name="Desk")
    address, audience = (reverse(f"providers:{name}", args=[thorough.uuid]) for name in ("model", "audience"))
    page = admin.get(address).content.decode()
    assert f'value="{sales.uuid}" checked' in page and f'value="{desk.uuid}" checked' not in page
    assert admin.post(audience, {"who": "teams", "teams": [desk.uuid]})["Location"] == reverse("providers:overview")
    assert [team.name for team in thorough.teams.all()] == ["Desk"]
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.changes) == ("model.changed", {"teams": [["Sales"], ["Desk"]]})
    overview = admin.get(reverse("providers:overview")).content.decode()
    assert "certain teams" in overview and "Desk" in overview
    admin.post(audience, {"who": "all", "teams": [desk.uuid]})
    thorough.refresh_from_db()
    assert thorough.for_all and not thorough.teams.exists()
    changes = {"for_all": [False, True], "teams": [["Desk"], []]}
    assert AuditEvent.objects.latest("pk").changes == changes
    admin.post(audience, {"who": "all"})
    assert AuditEvent.objects.filter(action="model.changed").count() == 2, "nothing changed"


@pytest.mark.parametrize("given", [{"who": "teams"}, {}, {"who": "x"}, {"who": "teams", "teams": ["x"]}])
def test_what_makes_no_sense_is_refused_and_leaves_it_as_it_was(
    admin: Client, thorough: LanguageModel, sales: Team, given: dict[str, object]
) -> None:
    answer = admin.post(reverse("providers:audience", args=[thorough.uuid]), given)
    assert answer.status_code == 400
    assert [team.name for team in thorough.teams.all()] == ["Sales"]
    assert not LanguageModel.objects.get(pk=thorough.pk).for_all


def test_the_plain_administration_does_not_decide_it(admin: Client, thorough: LanguageModel) -> None:
    page = admin.get(reverse("admin:providers_languagemodel_change", args=[thorough.pk])).content.decode()
    assert 'name="for_all"' not in page and 'name="teams"' not in page
