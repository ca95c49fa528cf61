"""Several providers serve a model: while one is broken, or fails before its first word, the next one answers, and the answer says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from chat import claims, watch_queries
from chat.generation import Services
from chat.models import Generation
from providers import breaker, failures
from providers.failures import Kind
from providers.models import LanguageModel, ModelRoute, Provider, ProviderState
from providers.simulator.process import Simulator
from tests.chat import asking
from tests.chat.answering import answer
from tests.chat.scene import Hands, State, ask
from usage.models import Invocation

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "[[sim seed=patient n=5 gap=0]]"


@pytest.fixture
def spare(gpt: LanguageModel, simulator: Simulator) -> Provider:
    """The model's second provider; both live in the simulator, and what a route calls the model says how it behaves."""
    made = Provider.objects.create(name="Spare")
    ModelRoute.objects.create(model=gpt, provider=made, upstream_name="demo", position=1)
    Provider.objects.update(base_url=simulator.base_url)
    return made


def behave(model: LanguageModel, *ways: str) -> None:
    for route, way in zip(model.routes.all(), ways, strict=True):
        ModelRoute.objects.filter(pk=route.pk).update(upstream_name=way)


def work(hands: Hands, services: Services, *, most: int = 9) -> int:
    """Claims and answers until nothing is queued; how many calls that took. Pauses between tries are left out."""
    for count in range(most):
        Generation.objects.filter(state="queued").update(next_attempt_at=None)
        claimed = claims.claim(hands.owner, places=1)
        if not claimed:
            return count
        answer(claimed[0], services)
    return most


@pytest.mark.parametrize(
    "way", ["chaos-err500", "chaos-close_before_headers", "chaos-rate_limit_none", "chaos-no_credit", "chaos-e401",
            "chaos-e404", "chaos-html_200", "chaos-redirect_other", "chaos-error_event_first"],
)  # fmt: skip
def test_a_failure_before_the_first_word_goes_to_the_next_provider_at_once(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services, way: str
) -> None:
    behave(gpt, way, "demo")
    ask(ada, QUESTION)
    assert work(hands, services) == 2
    found = Generation.objects.select_related("provider", "message").get()
    assert (found.state, found.error_kind, found.tries) == (State.DONE, "", 1)
    assert found.provider == spare
    assert found.request["sent"]["instead_of"] == "provider of m"
    call = Invocation.objects.get()
    assert (call.provider, call.provider_name, call.outcome) == (spare.uuid, "Spare", "done")


def test_the_answer_says_who_answered_in_both_languages_on_the_page_and_at_its_live_end(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services
) -> None:
    behave(gpt, "chaos-err500", "demo")
    made = ask(ada, QUESTION)
    work(hands, services)
    page = asking.of(ada)
    says = {
        "en": "provider of m does not answer at the moment: this is from Spare.",
        "zh-hans": "provider of m 目前没有响应，此回答来自 Spare。",
    }
    for language, words in says.items():
        User.objects.update(language=language)
        for path in (f"/chat/{made.conversation.uuid}/", f"/chat/messages/{made.answer.uuid}/?part=end"):
            assert words in page.get(path).content.decode()
    live = watch_queries.load(str(made.generation.uuid), user_id=ada.pk)
    assert live is not None
    assert live.ended is not None
    assert live.ended.whole is False  # the page that watched fetches the turn, and with it these words


def test_while_the_first_one_is_broken_the_next_one_is_asked_without_a_try(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services
) -> None:
    behave(gpt, "chaos-err500", "demo")
    first = Provider.objects.get(name="provider of m")
    for _time in range(breaker.IN_A_ROW):
        breaker.record_failure(first.pk, Kind.SERVER_ERROR)
    ask(ada, QUESTION)
    assert work(hands, services) == 1
    found = Generation.objects.get()
    assert (found.tries, found.provider_id, found.request["sent"]["instead_of"]) == (0, spare.pk, first.name)


def test_a_first_one_that_is_only_full_is_nothing_to_be_told(
    ada: User, bob: User, gpt: LanguageModel, spare: Provider, hands: Hands
) -> None:
    Provider.objects.filter(name="provider of m").update(max_concurrency=1)
    ask(ada)
    ask(bob)
    ways = claims.claim(hands.owner, places=2)
    assert [way.route.provider.name for way in ways if way.route] == ["provider of m", "Spare"]
    assert [way.instead_of for way in ways] == ["", ""]


def test_when_all_fail_the_retry_table_ends_it_and_no_provider_is_left_out(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services
) -> None:
    behave(gpt, "chaos-err500", "chaos-err503")
    ask(ada, QUESTION)
    calls = work(hands, services)
    found = Generation.objects.get()
    assert calls == failures.most_tries(Kind.SERVER_ERROR) == 3
    assert (found.state, found.error_kind) == (State.FAILED, "server_error")
    assert [int(number) for number in found.passed.split(",")] == [
        Provider.objects.get(name="provider of m").pk,
        spare.pk,
    ]


@pytest.mark.parametrize("way", ["chaos-e400", "chaos-e400_filter", "chaos-e400_context"])
def test_what_is_the_questions_fault_is_not_carried_to_the_next_provider(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services, way: str
) -> None:
    behave(gpt, way, "demo")
    ask(ada, QUESTION)
    assert work(hands, services) == 1
    assert Generation.objects.get().state == State.FAILED


def test_an_answer_that_has_begun_is_never_begun_elsewhere(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services
) -> None:
    behave(gpt, "chaos-reset", "demo")
    ask(ada, QUESTION)
    assert work(hands, services) == 1
    found = Generation.objects.select_related("message").get()
    assert (found.state, bool(found.message.text)) == (State.INTERRUPTED, True)


def test_no_third_call_goes_out_while_the_spare_one_is_broken(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services
) -> None:
    """The table's pauses hold where nobody else is left: a question is not thrown back and forth."""
    behave(gpt, "chaos-err500", "demo")
    ProviderState.objects.create(
        provider=spare,
        circuit="open",
        reason="server_error",
        openings=1,
        retry_at=timezone.now() + timedelta(minutes=4),
    )
    ask(ada, QUESTION)
    claimed = claims.claim(hands.owner, places=1)
    answer(claimed[0], services)
    found = Generation.objects.get()
    assert (found.state, found.tries) == (State.QUEUED, 1)
    assert found.next_attempt_at is not None


def test_a_provider_that_is_switched_off_for_the_model_is_not_asked(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services
) -> None:
    behave(gpt, "chaos-e401", "demo")
    ModelRoute.objects.filter(provider=spare).update(enabled=False)
    ask(ada, QUESTION)
    assert work(hands, services) == 1
    assert Generation.objects.get().error_kind == "bad_key"


@pytest.mark.parametrize("text", ["", "3", "3,7"])
def test_who_has_passed_it_on_is_read_back(text: str) -> None:
    assert ",".join(map(str, claims.passed_by(text))) == text


def test_the_page_shows_nothing_of_it_where_the_first_one_answered(
    ada: User, gpt: LanguageModel, spare: Provider, hands: Hands, services: Services
) -> None:
    behave(gpt, "demo", "demo")
    made = ask(ada, QUESTION)
    work(hands, services)
    shown: Client = asking.of(ada)
    assert "does not answer at the moment" not in shown.get(f"/chat/{made.conversation.uuid}/").content.decode()
    live = watch_queries.load(str(made.generation.uuid), user_id=ada.pk)
    assert live is not None
    assert live.ended is not None
    assert live.ended.whole is True
