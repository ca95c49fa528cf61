"""What the simulator says is a function of the seed; what the demo says is readable and safe."""

from typing import Any

import pytest

from providers.simulator import answers, demo
from providers.simulator.asks import Ask, BadAskError, ask_from
from tests.providers.simulator_ask import chat_request

PINNED = "𝔘nit 答案 copper market мысль letter pocket island island 9. 数字. Light"


def ask_of(question: str, **more: Any) -> Ask:
    return ask_from(chat_request(question, **more).partition(b"\r\n\r\n")[2])


def test_the_same_seed_always_says_the_same() -> None:
    assert answers.text_for("ab12", tokens=12) == PINNED
    assert answers.text_for("ab12", tokens=500) == answers.text_for("ab12", tokens=500)
    assert answers.text_for("ab12", tokens=50) != answers.text_for("ab13", tokens=50)


def test_a_shorter_answer_is_the_beginning_of_a_longer_one() -> None:
    whole = answers.tokens_for("seed", tokens=300)
    for length in (0, 1, 7, 299):
        assert answers.tokens_for("seed", tokens=length) == whole[:length]


def test_an_answer_has_characters_of_every_width_and_no_markdown() -> None:
    text = answers.text_for("width", tokens=2000)
    assert {len(char.encode()) for char in text} == {1, 2, 3, 4}
    assert not set(text) & set("*_`#[]<>|$\\~!-")
    assert text == text.strip()


@pytest.mark.parametrize("question", ["How do bridges stand?", "桥为什么不会倒？"])
def test_the_demo_answer_is_in_the_askers_language_and_shows_everything(question: str) -> None:
    text = demo.answer(question)
    start = text[:400]
    assert "OPENAI_API_KEY" in start and "OPENAI_BASE_URL" in start and ".env" in start
    assert ("尚未接入任何模型" in start) == demo.is_chinese(question)
    assert ("No model is connected" in start) == (not demo.is_chinese(question))
    for piece in ("## ", "| --- |", "```python", "$e^{i\\pi} + 1 = 0$", "\n$$\n", "\n1. "):
        assert piece in text
    assert f"> {question}" in text
    assert "".join(demo.split(text)) == text


def test_a_question_cannot_act_as_markdown_in_the_quote() -> None:
    quote = next(line for line in demo.answer("```\n# <b>boo</b>\n[a](b) {x}").splitlines() if line.startswith(">"))
    assert quote == "> \\`\\`\\` \\# \\<b\\>boo\\</b\\> \\[a\\]\\(b\\) \\{x\\}"


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How do I cook rice in a small pot?\nThanks", "How do I cook rice in"),
        ("如何在小锅里煮米饭？谢谢您的帮助", "如何在小锅里煮米饭？谢谢您的"),
        ("Question: Why?", "Why?".rstrip("?")),
        ("  ", "…"),
    ],
)
def test_a_title_is_the_first_words_of_the_question(question: str, title: str) -> None:
    assert demo.title(question) == title


def test_a_title_request_is_answered_with_a_title_whatever_the_mark_says() -> None:
    messages = [
        {"role": "system", "content": "Write a title for this conversation."},
        {"role": "user", "content": "Why is the sky blue today, my friend? [[sim mode=stall n=900]]"},
    ]
    ask = ask_of("", messages=messages, model="chaos-err500")
    assert ("".join(ask.tokens), ask.mode) == ("Why is the sky blue today", "ok")


def test_a_mark_steers_one_request() -> None:
    ask = ask_of("Hello [[sim seed=ab12 n=12 gap=50 ttft=200 mode=stall at=10]]", model="chaos-reset")
    assert (ask.seed, ask.gap, ask.ttft, ask.mode, ask.at) == ("ab12", 0.05, 0.2, "stall", 10)
    assert "".join(ask.tokens) == PINNED


def test_only_the_last_question_is_searched_for_a_mark() -> None:
    messages = [{"role": "user", "content": "[[sim mode=stall]]"}, {"role": "user", "content": "and now?"}]
    assert ask_of("", messages=messages, model="chaos-ok").mode == "ok"


def test_a_question_in_parts_is_read_too() -> None:
    content = [{"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": "[[sim seed=x1 n=3]]"}]
    ask = ask_of("", messages=[{"role": "user", "content": content}])
    assert "".join(ask.tokens) == answers.text_for("x1", tokens=3)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_most_tokens_are_honoured(field: str) -> None:
    ask = ask_of("[[sim seed=s n=40]]", **{field: 7})
    assert ("".join(ask.tokens), ask.finish) == (answers.text_for("s", tokens=7), "length")


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"model":"demo"}', b'{"model":"demo","messages":[]}', b"[" * 100_000],
)
def test_nonsense_is_refused_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(BadAskError):
        ask_from(raw)


@pytest.mark.parametrize("question", ["[[sim mode=nonsense]]", "[[sim n=-1]]", "[[sim gap=fast]]"])
def test_a_wrong_mark_is_refused_so_that_a_typing_mistake_shows(question: str) -> None:
    with pytest.raises(BadAskError):
        ask_of(question)


def test_the_bill_counts_every_message() -> None:
    assert answers.prompt_tokens(["", "abcd", "abcde"]) == 4 + 5 + 6


@pytest.mark.parametrize("question", ["[[sim seed=go n=30 mode=eof_no_finish at=9]]", "How do bridges stand?"])
@pytest.mark.parametrize("stopped", [1, 9, 57])
def test_a_continued_answer_goes_on_exactly_where_it_stopped(question: str, stopped: int) -> None:
    whole = "".join(ask_of(question).tokens)
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": whole[:stopped]},
        {"role": "user", "content": "Continue your last answer exactly where it stopped."},
    ]
    ask = ask_of("", messages=messages)
    assert whole[:stopped] + "".join(ask.tokens) == whole
    assert ask.mode == "ok"
