"""What limits do to a question: it is refused and says why, it waits, it goes to another model, its answer is shorter."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.test import Client
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation, User
from chat import claims, holds, messages, prompts, queries, waiting
from chat.doors import Door
from chat.generation import make_plan
from chat.models import Conversation, Generation, Message
from providers.models import LanguageModel, Price
from tests.chat import scene
from tests.chat.asking import of
from tests.chat.scene import Hands, State, answered, ask, new_id
from tests.usage import making
from usage.models import Invocation, LedgerEntry, Quota, QuotaPeriod, Reservation, Source

pytestmark = pytest.mark.django_db


def refusal(user: User, text: str = "Why?", **more: object) -> messages.Refused:
    with pytest.raises(messages.Refused) as caught:
        messages.send(user, text=text, client_id=new_id(), **more)  # type: ignore[arg-type]  # as given
    return caught.value


def counters() -> list[tuple[str, int, int]]:
    return making.counters()


def test_at_the_limit_nothing_is_written_and_the_sender_is_told_all(ada: User) -> None:
    making.in_zone("Asia/Shanghai")
    making.limit(1)
    answered(ada)
    before = (Conversation.objects.count(), Message.objects.count(), Generation.objects.count())
    refused = refusal(ada)
    assert (refused.status, refused.code) == (429, "limit_reached")
    extra = dict(refused.extra)
    resets = dt.datetime.fromisoformat(extra.pop("resets_at"))
    assert extra.pop("quota") == str(Quota.objects.get().uuid)
    assert extra == {
        "scope": "each", "unit": "requests", "period": "day", "used": 1, "held": 0, "limit": 1, "needs": 1,
    }  # fmt: skip
    assert (resets.hour, resets.minute) == (16, 0)
    assert refused.message.startswith("Your limit is reached: 1 question used of 1 question a day. It returns on ")
    assert refused.message.endswith(", 00:00 (Asia/Shanghai).")
    assert (Conversation.objects.count(), Message.objects.count(), Generation.objects.count()) == before
    assert counters() == [("requests", 1, 0)]


def test_a_program_reads_the_refusal_as_json(owner: User, page: Client) -> None:
    making.limit(0)
    reply = page.post(
        "/chat/messages/", {"text": "Why?", "client_id": new_id()}, "application/json", HTTP_ACCEPT="application/json"
    )
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["limit"], error["unit"]) == (429, "limit_reached", 0, "requests")


def test_the_refusal_is_chinese_for_whom_reads_chinese(ada: User) -> None:
    making.limit(0)
    with translation.override("zh-hans"):
        assert "每天 0 个提问" in refusal(ada).message


def test_a_repeat_of_what_was_sent_is_answered_though_the_limit_is_reached_meanwhile(ada: User) -> None:
    making.limit(1)
    first = messages.send(ada, text="Why?", client_id="client-0001")
    assert messages.send(ada, text="Why?", client_id="client-0001").generation == first.generation


def test_the_team_that_pays_stands_at_the_answer_its_call_and_the_ledger(ada: User) -> None:
    sales = making.team("Sales", ada)
    sent = answered(ada)
    assert Generation.objects.get().team == sales.uuid
    call, entry = Invocation.objects.get(), LedgerEntry.objects.get()
    assert (call.team, call.team_name) == (entry.team, entry.team_name) == (sales.uuid, "Sales")
    assert (entry.request_id, entry.input_tokens, entry.output_tokens) == (sent.generation.uuid, 10, 3)


def test_each_way_to_end_counts_once(ada: User) -> None:
    making.limit(100)
    for state in ("done", "failed", "interrupted", "cancelled"):
        answered(ada, state=state)
    queued = ask(ada)
    messages.cancel(ada, generation=queued.generation)  # never reached a provider
    assert counters() == [("requests", 4, 0)]
    assert sorted(LedgerEntry.objects.values_list("outcome", flat=True)) == [
        "cancelled",
        "done",
        "failed",
        "interrupted",
    ]


# --- waiting ------------------------------------------------------------------------------------------------------------


def test_what_only_running_answers_are_in_the_way_of_waits_and_goes_on_when_one_ends(ada: User, bob: User) -> None:
    making.limit(2, scope="organisation")
    first = ask(ada)
    second, third = ask(bob), ask(bob)
    assert [s.generation.state for s in (first, second, third)] == [State.QUEUED, State.QUEUED, State.WAITING]
    assert Reservation.objects.count() == 2
    now = dt.datetime.now(dt.UTC)
    assert waiting.admit(now=now) == 0
    messages.cancel(ada, generation=first.generation)
    assert waiting.admit(now=now) == 1
    third.generation.refresh_from_db()
    assert third.generation.state == State.QUEUED
    assert Reservation.objects.get(request_id=third.generation.uuid).state == "held"
    assert counters() == [("requests", 0, 2)]
    assert len(Hands().take(5)) == 2


def test_who_came_first_goes_on_first(ada: User) -> None:
    making.limit(3_000, "tokens", scope="organisation")
    LanguageModel.objects.update(answer_tokens=2_500)
    running = ask(ada)
    large, small = ask(ada), ask(ada)
    assert [s.generation.state for s in (large, small)] == [State.WAITING] * 2
    LanguageModel.objects.update(answer_tokens=100)
    messages.cancel(ada, generation=running.generation)
    assert waiting.admit(now=dt.datetime.now(dt.UTC)) == 2


def test_whose_limit_is_used_up_while_waiting_is_refused_and_who_waits_too_long_as_well(ada: User) -> None:
    making.limit(1, scope="organisation")
    running = ask(ada)
    patient, late = ask(ada), ask(ada)
    Generation.objects.filter(pk=late.generation.pk).update(
        created_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=61)
    )
    hands = Hands()
    (taken,) = hands.take()
    assert taken == running.generation
    assert hands.end(taken)
    assert waiting.admit(now=dt.datetime.now(dt.UTC)) == 0
    rows = Generation.objects.in_bulk([patient.generation.pk, late.generation.pk])
    assert [(rows[s.generation.pk].state, rows[s.generation.pk].error_kind) for s in (patient, late)] == [
        ("failed", "limit_reached"),
        ("failed", "limit_held"),
    ]
    assert counters() == [("requests", 1, 0)]
    assert LedgerEntry.objects.count() == 1


def test_one_who_waits_can_be_cancelled_and_blocks_nobody(ada: User) -> None:
    making.limit(1, scope="organisation")
    ask(ada)
    sent = ask(ada)
    messages.cancel(ada, generation=sent.generation)
    sent.generation.refresh_from_db()
    assert (sent.generation.state, counters()) == (State.CANCELLED, [("requests", 0, 1)])


def test_answers_at_once(ada: User, bob: User) -> None:
    making.limit(1, "at_once", "none")
    first = ask(ada)
    assert ask(bob).generation.state == State.QUEUED
    second = ask(ada)
    assert second.generation.state == State.WAITING
    messages.cancel(ada, generation=first.generation)
    assert waiting.admit(now=dt.datetime.now(dt.UTC)) == 1


def test_nobody_waiting_costs_one_statement(ada: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        waiting.admit(now=dt.datetime.now(dt.UTC))


# --- another model, a shorter answer, money -----------------------------------------------------------------------------


def test_at_a_limit_that_names_another_model_that_one_answers(ada: User, gpt: LanguageModel) -> None:
    cheap = scene.model("cheap")
    gpt.position = -1
    gpt.save()
    making.limit(1, at_limit="switch", switch_to=cheap.uuid)
    assert answered(ada).generation.model == gpt
    sent = ask(ada)
    assert sent.generation.model == cheap
    assert sent.generation.request["asked_model"] == "m"
    assert sent.generation.request["model"] == "cheap"
    assert counters() == [("requests", 1, 1)]


def test_without_the_other_model_it_is_refused(ada: User) -> None:
    making.limit(0, at_limit="switch", switch_to=uuid.uuid4())
    assert refusal(ada).code == "limit_reached"


def test_where_less_is_left_the_answer_is_shorter_and_the_provider_is_told(ada: User) -> None:
    making.limit(2_000, "tokens")
    sent = ask(ada)
    hold = Reservation.objects.get()
    assert hold.tokens == 2_000
    (claimed,) = claims.claim(uuid.uuid4(), places=1)
    assert claimed.generation == sent.generation
    assert make_plan(claimed).request.max_tokens == hold.output_tokens < 4_096


def test_money_needs_a_price_and_free_models_do_not_mind(ada: User, gpt: LanguageModel) -> None:
    making.limit(1_000_000, "cost", "month")
    refused = refusal(ada)
    assert (refused.status, refused.code) == (403, "no_price")
    price(gpt)
    QuotaPeriod.objects.all().delete()
    assert ask(ada).generation.state == State.QUEUED
    assert counters() == []


def test_money_is_held_and_settled_by_the_price_of_the_moment(ada: User, gpt: LanguageModel) -> None:
    making.limit(50_000, "cost", "month")
    price(gpt, input_micro=2_000_000, output_micro=10_000_000)
    sent = ask(ada)
    hold = Reservation.objects.get()
    assert hold.cost_micro == 2 * hold.input_tokens + 10 * hold.output_tokens
    hands = Hands()
    (taken,) = hands.take()
    assert hands.end(taken)
    entry = LedgerEntry.objects.get(request_id=sent.generation.uuid)
    assert (entry.cost_micro, entry.organisation_cost_micro, entry.currency) == (50, 50, "USD")
    assert counters() == [("cost", 50, 0)]
    assert Invocation.objects.get().cost_micro == 50


def price(model: LanguageModel, **micro: int) -> None:

    provider = model.providers.get()
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    Price.objects.create(model=model, provider=provider, currency="USD", effective_from=begin, **micro)


# --- how much is held ---------------------------------------------------------------------------------------------------


def test_what_is_sent_never_takes_more_than_was_held(ada: User, gpt: LanguageModel) -> None:
    Organisation.get()
    Organisation.objects.update(instructions="Be kind. " * 50)
    gpt.context_window = 3_000
    gpt.save()
    home: Conversation | None = None
    for round_ in range(12):
        sent = ask(ada, f"word {round_} " * 60, conversation=home)
        home = Conversation.objects.select_related("leaf__parent", "model").get(pk=sent.conversation.pk)
        hold = Reservation.objects.get(request_id=sent.generation.uuid)
        hands = Hands()
        (claimed,) = claims.claim(hands.owner, places=1)
        plan = make_plan(claimed)
        assert plan.prompt_tokens <= hold.input_tokens
        assert plan.prompt_tokens + plan.request.max_tokens <= gpt.context_window
        assert plan.request.max_tokens <= hold.output_tokens
        assert hands.end(claimed.generation, text="中文 answer " * 40)
        home.leaf.refresh_from_db()  # type: ignore[union-attr]  # it has one


def test_tokens_are_added_up_along_the_path_and_for_old_rows_from_their_texts(ada: User) -> None:
    home = answered(ada, "first").conversation
    home = Conversation.objects.select_related("leaf", "model").get(pk=home.pk)
    sent = ask(ada, "second", conversation=home)
    assert sent.question is not None
    whole = prompts.size("first") + prompts.size("Because.")
    assert (sent.question.before_tokens, sent.answer.before_tokens) == (whole, whole + prompts.size("second"))
    Message.objects.update(before_tokens=None)
    assert holds.before_tokens(Message.objects.get(pk=sent.answer.pk)) == whole + prompts.size("second")
    assert queries.path_texts(sent.answer.pk) == ["", "second", "Because.", "first"]


def test_a_continued_answer_holds_what_it_goes_on_from(ada: User) -> None:
    sent = answered(ada, reply="half " * 400, state="interrupted")
    answer = Message.objects.select_related("conversation__model", "conversation__leaf", "parent").get(
        pk=sent.answer.pk
    )
    again = messages.continue_(ada, message=answer, client_id=new_id())
    hold = Reservation.objects.get(request_id=again.generation.uuid)
    (claimed,) = claims.claim(uuid.uuid4(), places=1)
    assert 500 < make_plan(claimed).prompt_tokens <= hold.input_tokens


def test_old_generations_without_a_note_of_their_hold_still_go_out(ada: User) -> None:
    sent = ask(ada)
    Generation.objects.update(request={"model": "m"})
    (claimed,) = claims.claim(uuid.uuid4(), places=1)
    assert claimed.generation == sent.generation
    assert make_plan(claimed).request.max_tokens == 4_096
    assert of(ada).get("/chat/").status_code == 200


def test_no_more_than_a_few_of_a_persons_questions_wait(ada: User, bob: User) -> None:
    making.limit(1, scope="organisation")
    ask(bob)
    assert [ask(ada).generation.state for _ in range(8)] == [State.WAITING] * 8
    refused = refusal(ada)
    assert (refused.status, refused.code, refused.extra["held"]) == (429, "limit_reached", 1)


def test_a_program_does_not_wait(ada: User) -> None:
    making.limit(1, scope="organisation")
    ask(ada)
    assert refusal(ada, door=Door(Source.API)).code == "limit_reached"
