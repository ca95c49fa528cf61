"""What the model receives: instructions, the newest turns that fit, and never more than the window holds."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import prompts
from chat.prompts import Asker, Turn
from usage import estimates

NOW = dt.datetime(2026, 3, 1, 23, 30, tzinfo=dt.UTC)
ADA = Asker("zh-hans", "Asia/Shanghai", " Be brief. ")


def build(
    turns: list[Turn], *, window: int = 8_000, most: int = 1_000, continues: bool = False, older: int = 0
) -> prompts.Prompt:
    return prompts.build(
        turns, asker=ADA, now=NOW, context_window=window, max_output=most, continues=continues, older=older
    )


def path(*texts: str) -> list[Turn]:
    return [Turn(f"u{n}", "assistant" if n % 2 else "user", text) for n, text in enumerate(texts)]


def test_the_model_is_told_the_persons_day_language_and_the_organisations_words() -> None:
    told = prompts.system_text(ADA, now=NOW)
    assert "Today is Monday, 2026-03-02. The time zone is Asia/Shanghai." in told
    assert "Simplified Chinese" in told
    assert told.endswith("\nBe brief.")


@pytest.mark.parametrize("zone", ["", "Nowhere/Land", "../../etc/passwd", "\x00"])
def test_a_time_zone_that_is_none_is_utc(zone: str) -> None:
    assert "Sunday, 2026-03-01. The time zone is UTC." in prompts.system_text(Asker("xx", zone, ""), now=NOW)


def test_a_short_history_is_sent_whole_and_in_order() -> None:
    prompt = build(path("a", "b", "c"))
    assert [(m["role"], m["content"]) for m in prompt.messages[1:]] == [
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
    ]
    assert (prompt.cut, prompt.first, prompt.max_tokens) == (0, "u0", 1_000)
    assert prompt.messages[0] == {"role": "system", "content": prompt.system}


def test_what_does_not_fit_is_cut_from_the_oldest_and_a_history_begins_with_a_question() -> None:
    turns = path(*[f"{n} " + "x" * 400 for n in range(21)])
    prompt = build(turns, window=1_000, most=250, older=5)
    sent = prompt.messages[1:]
    assert sent[0]["role"] == "user"
    assert sent[-1]["content"] == turns[-1].text
    assert prompt.cut == 5 + 21 - len(sent)
    assert prompt.first == turns[-len(sent)].uuid
    assert 0 < len(sent) < 21


def test_a_continued_answer_ends_with_the_wish_to_go_on() -> None:
    prompt = build(path("a", "b"), continues=True)
    assert [m["content"] for m in prompt.messages[1:]] == ["a", "b", prompts.CONTINUE]
    assert [m["role"] for m in prompt.messages[1:]] == ["user", "assistant", "user"]


def test_a_question_larger_than_the_window_is_sent_alone() -> None:
    prompt = build(path("a", "b", "x" * 100_000), window=1_000)
    assert (len(prompt.messages), prompt.cut, prompt.max_tokens) == (2, 2, 1)


@given(
    sizes=st.lists(st.integers(1, 3_000), min_size=1, max_size=30),
    window=st.integers(600, 20_000),
    most=st.integers(1, 30_000),
    continues=st.booleans(),
    letter=st.sampled_from("x中"),
)
def test_prompt_and_answer_never_exceed_the_window_and_nothing_is_lost_from_the_count(
    sizes: list[int], window: int, most: int, continues: bool, letter: str
) -> None:
    turns = path(*[letter * size for size in sizes])
    prompt = build(turns, window=window, most=most, continues=continues)
    kept = prompt.messages[1 : -1 if continues else None]
    assert prompt.cut + len(kept) == len(turns)
    assert [m["content"] for m in kept] == [t.text for t in turns[prompt.cut :]]
    assert prompt.tokens == sum(estimates.tokens(m["content"]) + estimates.PER_MESSAGE for m in prompt.messages)
    assert 1 <= prompt.max_tokens <= most
    if len(kept) > 1 or prompt.tokens < window:
        assert prompt.tokens + prompt.max_tokens <= window
    if len(kept) > 1:
        assert prompt.max_tokens >= min(most, window // prompts.ANSWER_SHARE)
