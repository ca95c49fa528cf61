"""The page's addresses: who may see what, what a send answers, what is shown, and that plain forms do everything."""

from __future__ import annotations

import json
import re
import time
import uuid

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from chat import rendering
from chat.models import Conversation, Generation, Message
from providers.models import LanguageModel, ModelRoute, Provider
from tests.chat.asking import READ, addresses, asked, call, end, of, post, send

pytestmark = pytest.mark.django_db

# --- three people ---


def test_the_owner_reads_her_conversation(owner: User, page: Client) -> None:
    sent = asked(owner, "How many trees?")
    for name in READ:
        answer = page.get(addresses(sent)[name])
        assert answer.status_code == 200, name
    shown = page.get(addresses(sent)["conversation"]).content.decode()
    assert "How many trees?" in shown
    assert "<em>How many trees?</em>" in shown


def test_a_teammate_and_a_stranger_get_nothing_of_it(owner: User, teammate: User, stranger: User) -> None:
    sent = asked(owner, "A secret")
    rows = Message.objects.count()
    for person in (teammate, stranger):
        for name, path in addresses(sent).items():
            answer = call(of(person), name, path)
            assert answer.status_code == 404, (person, name)
            assert b"secret" not in answer.content
        assert b"A secret" not in of(person).get("/chat/").content
        assert send(of(person), conversation=str(sent.conversation.uuid)).status_code == 404
    assert Message.objects.count() == rows
    sent.generation.refresh_from_db()
    assert sent.generation.cancel_requested_at is None


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_foreign_and_an_unknown_id_get_the_same_bytes(owner: User, stranger: User, accept: str) -> None:
    sent = asked(owner)
    client = of(stranger)
    foreign = addresses(sent)
    unknown = {name: re.sub(r"[0-9a-f-]{36}", str(uuid.uuid4()), path) for name, path in foreign.items()}
    for name, path in foreign.items():
        one, two = (call(client, name, each, Accept=accept) for each in (path, unknown[name]))
        assert one.status_code == two.status_code == 404, name
        assert blank(one) == blank(two), name


def blank(answer: HttpResponse) -> bytes:
    """The body without the request's id."""
    return answer.content.replace(answer["X-Request-ID"].encode(), b"-")


def test_who_is_not_signed_in_is_sent_to_the_form_and_a_program_gets_401(owner: User) -> None:
    sent = asked(owner)
    client = Client()
    for name, path in addresses(sent).items():
        answer = call(client, name, path, Accept="application/json")
        assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (401, "signed_out"), name
    shown = client.get(addresses(sent)["conversation"])
    assert (shown.status_code, shown["Location"]) == (302, f"/accounts/login/?next=/chat/{sent.conversation.uuid}/")


def test_every_change_needs_the_csrf_token(owner: User) -> None:
    sent = asked(owner)
    client = of(owner, enforce_csrf_checks=True)
    rows = Generation.objects.count()
    for name, path in {**addresses(sent), "send": "/chat/messages/"}.items():
        if name not in READ:
            assert call(client, name, path).status_code == 403, name
    assert Generation.objects.count() == rows


def test_nothing_is_changed_by_get(owner: User, page: Client) -> None:
    sent = asked(owner)
    for name, path in {**addresses(sent), "send": "/chat/messages/"}.items():
        if name not in READ:
            assert page.get(path).status_code == 405, name


# --- what is sent ---


def test_a_send_answers_202_with_where_to_poll_and_what_to_show(owner: User, page: Client) -> None:
    answer = send(page, "Hello there")
    body = answer.json()
    conversation = Conversation.objects.get()
    generation = Generation.objects.get()
    assert answer.status_code == 202
    assert body["conversation_id"] == str(conversation.uuid)
    assert body["message_id"] == str(generation.message.uuid)
    assert body["generation_id"] == str(generation.uuid)
    assert body["conversation_url"] == f"/chat/{conversation.uuid}/"
    assert body["version"] == conversation.version
    assert body["poll_url"].startswith(f"/live/{generation.uuid}?ticket=")
    assert "Hello there" in body["html"]
    assert f'id="m-{generation.message.uuid}"' in body["html"]


def test_the_same_key_sends_once_and_answers_the_same(owner: User, page: Client) -> None:
    key = uuid.uuid4().hex
    one, two = (send(page, "Once", client_id=key).json() for _ in range(2))
    assert one["message_id"] == two["message_id"]
    assert Message.objects.count() == 2
    again = send(page, "Other words", client_id=key)
    assert (again.status_code, again.json()["error"]["code"]) == (422, "client_id_reused")


def test_a_second_send_gets_409_with_the_active_generation(owner: User, page: Client) -> None:
    first = send(page).json()
    second = send(page, "And?", conversation=first["conversation_id"])
    assert second.status_code == 409
    assert second.json()["error"]["generation_id"] == first["generation_id"]


def test_a_stale_tab_is_told_that_the_conversation_moved_on(owner: User, page: Client) -> None:
    sent = asked(owner)
    late = send(page, conversation=str(sent.conversation.uuid), version=sent.conversation.version - 1)
    assert (late.status_code, late.json()["error"]["code"]) == (409, "moved_on")


def test_an_unknown_and_a_switched_off_model_get_the_same_refusal(owner: User, page: Client) -> None:
    LanguageModel.objects.create(slug="hidden", name="Hidden", enabled=False)
    found = {name: send(page, model=name) for name in ("hidden", "nonsense", "DEMO")}
    assert {answer.status_code for answer in found.values()} == {422}
    assert {answer.json()["error"]["code"] for answer in found.values()} == {"no_model"}
    assert not Message.objects.exists()


def test_without_scripts_a_form_sends_and_leads_to_the_answer(owner: User, page: Client) -> None:
    fields = {"text": "Line one\r\nline two", "client_id": uuid.uuid4().hex, "conversation": "", "version": ""}
    answer = page.post("/chat/messages/", fields)
    conversation = Conversation.objects.get()
    assert answer.status_code == 303
    assert answer["Location"] == f"/chat/{conversation.uuid}/#m-{conversation.leaf and conversation.leaf.uuid}"
    assert Message.objects.get(role="user").text == "Line one\nline two"
    shown = page.get(answer["Location"]).content.decode()
    assert "<noscript>" in shown
    assert re.search(r'id="stop"[^>]*formaction="/chat/generations/[0-9a-f-]{36}/cancel/"', shown)


def test_without_scripts_a_refused_text_is_still_in_the_box(owner: User, page: Client) -> None:
    send(page)
    conversation = Conversation.objects.get()
    fields = {"text": "Kept <words>", "client_id": uuid.uuid4().hex, "conversation": str(conversation.uuid)}
    answer = page.post("/chat/messages/", fields)
    shown = answer.content.decode()
    assert answer.status_code == 409
    assert "Kept &lt;words&gt;</textarea>" in shown
    assert "still being written" in shown


@pytest.mark.parametrize("verb", ["regenerate", "continue", "retry"])
def test_without_scripts_an_answer_s_buttons_work(owner: User, page: Client, verb: str) -> None:
    sent = asked(owner)
    end(sent.generation, state="interrupted", finish_reason="")
    answer = page.post(addresses(sent)[verb], {"client_id": uuid.uuid4().hex})
    assert answer.status_code == 303
    latest = Generation.objects.latest("pk")
    assert latest.pk != sent.generation.pk
    assert (latest.message_id == sent.answer.pk) == (verb == "continue")


def test_without_scripts_a_question_is_reworded(owner: User, page: Client) -> None:
    sent = asked(owner, "Which river?")
    assert sent.question is not None
    shown = page.get(f"/chat/{sent.conversation.uuid}/?edit={sent.question.uuid}").content.decode()
    assert f'action="/chat/messages/{sent.question.uuid}/edit/"' in shown
    assert "Which river?</textarea>" in shown
    fields = {"text": "Which lake?", "client_id": uuid.uuid4().hex}
    assert page.post(addresses(sent)["edit"], fields).status_code == 303
    assert list(Message.objects.filter(role="user", parent=None).values_list("text", flat=True)) == [
        "Which river?",
        "Which lake?",
    ]


def test_stop_ends_a_queued_answer_and_may_be_repeated(owner: User, page: Client) -> None:
    first = send(page).json()
    path = f"/chat/generations/{first['generation_id']}/cancel/"
    answers = [post(page, path, {}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[1].json() == {"state": "cancelled"}


# --- what is shown ---


def test_a_long_conversation_is_shown_in_windows_of_40(owner: User, page: Client) -> None:
    sent = asked(owner, "Question 0")
    for number in range(1, 25):
        sent = asked(owner, f"Question {number}", conversation=sent.conversation)
    shown = page.get(addresses(sent)["conversation"]).content.decode()
    assert len(re.findall(r'<(?:section|article) class="[qa]"', shown)) == 40
    assert "Question 24" in shown
    assert "Question 4<" not in shown
    older = re.search(r'data-older="([^"]+)"', shown)
    assert older is not None
    fragment = page.get(older[1].replace("&amp;", "&")).content.decode()
    assert "<html" not in fragment
    assert len(re.findall(r'<(?:section|article) class="[qa]"', fragment)) == 10
    assert "Question 0<" in fragment
    assert "data-older" not in fragment
    whole = page.get(older[1].partition("&amp;part")[0]).content.decode()
    assert "<html" in whole
    assert "Newest messages" in whole


@pytest.mark.parametrize("rows", [1, 3])
def test_a_page_takes_the_same_queries_for_one_turn_and_for_three(
    owner: User, page: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sent = asked(owner)
    for _ in range(rows - 1):
        asked(owner)
        sent = asked(owner, conversation=sent.conversation)
    page.get("/chat/")
    with django_assert_num_queries(QUERIES):
        page.get(addresses(sent)["conversation"])


QUERIES = 12
"""Session, person, organisation, conversation, path, messages, generations, memory, two of models, route, list."""


def test_a_conversation_of_5000_messages_opens_quickly(owner: User, page: Client) -> None:
    home = Conversation.objects.create(user=owner, title="Long")
    words = "\n\n".join(["A paragraph of *some* length, with `code` in it."] * 8)
    stored = {"text": words, "html": rendering.render(words), "html_version": rendering.HTML_VERSION}
    rows = [
        Message(
            pk=n + 1,
            conversation=home,
            parent_id=n or None,
            depth=n,
            **({"role": "assistant", **stored} if n % 2 else {"role": "user", "text": f"Question {n}"}),
        )
        for n in range(5_000)
    ]
    Message.objects.bulk_create(rows, batch_size=1_000)
    Conversation.objects.filter(pk=home.pk).update(leaf=rows[-1].pk)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        assert b"Question 4998" in page.get(f"/chat/{home.uuid}/").content
        took.append(time.perf_counter() - start)
    assert min(took) < 0.3


def test_the_list_is_paged_and_says_what_is_running(owner: User, page: Client) -> None:
    for number in range(45):
        asked(owner, f"Talk {number}")
    send(page, "Running one")
    first = page.get("/chat/list/").content.decode()
    assert first.count('class="row"') == 40
    assert first.count('class="run"') == 1
    more = re.search(r'data-more="([^"]+)"', first)
    assert more is not None
    second = page.get(more[1].replace("&amp;", "&")).content.decode()
    assert second.count('class="row"') == 6
    assert "Talk 0<" in second


def test_the_mark_of_the_model_s_memory_stands_where_it_begins(owner: User, page: Client) -> None:
    first = asked(owner, "Old one")
    second = asked(owner, "New one", conversation=first.conversation)
    assert second.question is not None
    request = {"sent": {"cut": 2, "first": str(second.question.uuid), "system": "Be brief."}}
    Generation.objects.filter(pk=second.generation.pk).update(request=request)
    shown = page.get(addresses(second)["conversation"]).content.decode()
    mark = shown.index("memory now begins here")
    assert shown.index("Old one</div>") < mark < shown.index("New one</div>")


def test_details_show_exactly_what_was_sent(owner: User, page: Client) -> None:
    first = asked(owner, "Old one")
    second = asked(owner, "New one", conversation=first.conversation)
    assert second.question is not None
    noted = {"cut": 2, "first": str(second.question.uuid), "system": "Be brief & kind.", "max_tokens": 77}
    Generation.objects.filter(pk=second.generation.pk).update(request={"sent": noted}, input_tokens=12, output_tokens=3)
    shown = page.get(addresses(second)["details"]).content.decode()
    assert re.findall(r"<b>(\w+)</b><pre[^>]*>([^<]+)</pre>", shown) == [
        ("Instructions", "Be brief &amp; kind."),
        ("Question", "New one"),
    ]
    assert "2 older messages were not sent" in shown
    assert "12 read, 3 written" in shown
    assert "&quot;max_tokens&quot;: 77" in shown


def test_a_mostly_chinese_message_says_its_language(owner: User, page: Client) -> None:
    shown = page.get(addresses(asked(owner, "这条河叫什么名字？"))["conversation"]).content.decode()
    assert '<div lang="zh-Hans">这条河叫什么名字？</div>' in shown
    shown = page.get(addresses(asked(owner, "Which river?"))["conversation"]).content.decode()
    assert 'lang="zh-Hans">Which' not in shown


def test_a_question_is_text_and_never_markup(owner: User, page: Client) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'</textarea></div>"
    sent = asked(owner, hostile)
    for path in (addresses(sent)["conversation"], addresses(sent)["details"], "/chat/", "/chat/list/"):
        shown = page.get(path).content.decode()
        assert "<script>alert" not in shown
        assert "<img" not in shown


def test_the_page_says_that_only_the_simulator_answers(owner: User, page: Client, model: LanguageModel) -> None:
    assert b"No model is connected" in page.get("/chat/").content
    real = Provider.objects.create(name="Real", source=Provider.Source.DATABASE)
    ModelRoute.objects.create(model=model, provider=real, upstream_name="m")
    assert b"No model is connected" not in page.get("/chat/").content


def test_a_second_tab_asks_cheaply_whether_something_changed(
    owner: User, page: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sent = asked(owner)
    page.get("/chat/")
    with django_assert_num_queries(5):
        found = page.get(addresses(sent)["state"]).json()
    assert found["version"] == sent.conversation.version
    assert found["generation_id"] is None
