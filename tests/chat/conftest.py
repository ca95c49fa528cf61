"""A model and three people for the tests of this room: the owner, a teammate who manages her team, a stranger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import close_old_connections, connection
from django.test import Client

from accounts.models import Membership, Team, User
from chat import bell, live_out, watch, writer
from chat.generation import Services
from providers.models import LanguageModel, ModelRoute, Provider
from providers.simulator.process import Simulator, running
from tests.chat import answering, scene
from tests.chat.asking import of
from tests.chat.scene import Hands


@pytest.fixture
def model() -> LanguageModel:
    provider = Provider.objects.create(name="Simulator", source=Provider.Source.SIMULATOR)
    made = LanguageModel.objects.create(slug="demo", name="Demo", enabled=True)
    ModelRoute.objects.create(model=made, provider=provider, upstream_name="demo")
    return made


@pytest.fixture
def owner(model: LanguageModel) -> User:
    return User.objects.create_user("owner@example.com", name="Owner")


@pytest.fixture
def teammate(owner: User) -> User:
    team = Team.objects.create(name="Team")
    mate = User.objects.create_user("mate@example.com", name="Mate")
    for person in (owner, mate):
        Membership.objects.create(user=person, team=team, role=Membership.Role.MANAGER)
    return mate


@pytest.fixture
def stranger() -> User:
    return User.objects.create_user("stranger@example.com")


@pytest.fixture
def page(owner: User) -> Client:
    return of(owner)


@pytest.fixture(autouse=True)
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each ring of the bell, instead of a message to a broker."""
    rung: list[str] = []
    monkeypatch.setattr(bell._bell, "ring", lambda: rung.append("ring"))
    return rung


@pytest.fixture(autouse=True)
def the_tests_own_transaction_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's step closes connections that are stale; run in the test's own transaction it would close that one."""

    def careful() -> None:
        if not connection.in_atomic_block:
            close_old_connections()

    for module in (live_out, writer, watch):
        monkeypatch.setattr(module, "close_old_connections", careful)


@pytest.fixture
def gpt(db: None) -> LanguageModel:
    return scene.model()


@pytest.fixture
def ada(gpt: LanguageModel) -> User:
    return scene.person("ada")


@pytest.fixture
def bob(gpt: LanguageModel) -> User:
    return scene.person("bob")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as found:
        yield found


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def services(hands: Hands, simulator: Simulator) -> Iterator[Services]:
    """For tests with `transaction=True` only: these threads have connections of their own."""
    with answering.services_of(hands) as found:
        yield found
