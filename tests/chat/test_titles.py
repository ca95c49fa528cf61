"""Titles: taken by one worker, made by a real call to the simulator, counted, tried twice at most, never over a person's own."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import User
from chat import titles
from chat.generation import Services
from chat.live_out import LiveOut
from chat.models import Conversation
from chat.writer import Writer
from providers import client
from providers.models import ModelRoute, Provider
from providers.simulator.process import Simulator, running
from tests.chat import scene
from tests.chat.scene import answered
from usage import recovery
from usage.models import Invocation, Reservation

pytestmark = pytest.mark.django_db(transaction=True)
State = Conversation.TitleState


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as found:
        yield found


@pytest.fixture
def services() -> Iterator[Services]:
    owner = uuid.uuid4()
    readers = ThreadPoolExecutor(1)
    yield Services(owner, LiveOut(owner), Writer(owner), Writer(owner), readers, readers)
    readers.submit(connections.close_all).result(timeout=5)
    readers.shutdown()


@pytest.fixture
def home(ada: User) -> Conversation:
    """A conversation whose first answer is done: its title is due."""
    return Conversation.objects.get(
        pk=answered(ada, "Why is the sky blue?", reply="Because of *scattering*.").conversation.pk
    )


def due_again() -> None:
    Conversation.objects.update(title_due_at=timezone.now() - dt.timedelta(seconds=1))


def make(wanted: titles.Wanted, services: Services) -> None:
    async def whole() -> None:
        await titles.make(wanted, services=services)
        await client.close_all()

    asyncio.run(whole())


def served_by(simulator: Simulator, *, name: str = "demo") -> None:
    Provider.objects.update(base_url=simulator.base_url)
    ModelRoute.objects.update(upstream_name=name)


def test_a_title_is_made_by_a_call_and_counted(home: Conversation, services: Services, simulator: Simulator) -> None:
    served_by(simulator)
    (wanted,) = titles.claim(limit=5)
    assert wanted.question == "Why is the sky blue?"
    assert wanted.answer == "Because of scattering."
    hold = Reservation.objects.get(request_id=wanted.request_id)
    assert (hold.state, hold.source, hold.lease_expires_at is None) == ("held", "title", False)
    make(wanted, services)
    home.refresh_from_db()
    assert (home.title_state, home.title_due_at) == (State.MADE, None)
    assert 0 < len(home.title) <= titles.MOST_CHARS
    call = Invocation.objects.get(source="title")
    assert (call.request_id, call.outcome, call.person) == (wanted.request_id, "done", home.user.uuid)
    assert call.input_tokens > 0
    hold.refresh_from_db()
    assert hold.state == "settled"


def test_a_title_that_a_person_gave_meanwhile_stays(
    home: Conversation, services: Services, simulator: Simulator
) -> None:
    served_by(simulator)
    (wanted,) = titles.claim(limit=5)
    Conversation.objects.update(title="Mine", title_state=State.MANUAL)
    make(wanted, services)
    home.refresh_from_db()
    assert (home.title, home.title_state) == ("Mine", State.MANUAL)
    assert Invocation.objects.filter(source="title").count() == 1


def test_after_two_failures_the_first_words_stay(home: Conversation, services: Services) -> None:
    for attempt in (1, 2):
        (wanted,) = titles.claim(limit=5)
        assert titles.claim(limit=5) == []  # it is taken
        make(wanted, services)  # nobody listens at the provider's address
        assert Invocation.objects.filter(source="title", outcome="failed").count() == attempt
        due_again()
    assert titles.claim(limit=5) == []
    home.refresh_from_db()
    assert (home.title, home.title_state, home.title_due_at) == ("Why is the sky blue?", State.GIVEN_UP, None)
    assert not Reservation.objects.filter(state="held").exists()


def test_a_title_whose_worker_died_is_tried_once_more_and_its_hold_is_settled(home: Conversation) -> None:
    (lost,) = titles.claim(limit=5)
    due_again()
    (again,) = titles.claim(limit=5)
    assert again.request_id != lost.request_id
    later = timezone.now() + dt.timedelta(seconds=3 * titles.PATIENCE_S)
    assert recovery.settle_expired(now=later) == 2
    assert recovery.settle_expired(now=later) == 0
    assert Invocation.objects.filter(source="title", outcome="interrupted", estimated=True).count() == 2
    home.refresh_from_db()
    assert home.title_tries == 2


def test_workers_at_once_take_a_title_once(home: Conversation) -> None:
    results = scene.at_once(*[lambda: titles.claim(limit=5)] * 4)
    assert not [r for r in results if isinstance(r, Exception)], results
    assert sum(len(r) for r in results if isinstance(r, list)) == 1


def test_without_a_provider_no_title_is_asked_for(home: Conversation) -> None:
    ModelRoute.objects.update(enabled=False)
    assert titles.claim(limit=5) == []
    assert titles.claim(limit=0) == []
    assert not Reservation.objects.filter(source="title").exists()


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('"Blue skies."', "Blue skies"),
        ("Title: Blue skies", "Blue skies"),
        ("**Blue** skies\n\nand more", "Blue skies and more"),
        ("《天空为什么是蓝色》。", "天空为什么是蓝色"),
        ("标题：天空", "天空"),
        ("x" * 200, "x" * 79 + "…"),
        ("", ""),
        (" \n ", ""),
        ("<b>x</b>", "<b>x</b>"),
    ],
)
def test_a_models_words_become_one_clean_line(text: str, title: str) -> None:
    assert titles.clean(text) == title
