"""docs/messages.md says what the code says; every message is in it, in both languages, and keeps to the rules for words."""

from __future__ import annotations

import re

import pytest
from django.template import Context, Engine
from django.utils import translation

from chat import look, notes
from chat.notes import Facts
from providers.failures import Kind
from tests.message_list import PAGE, SECTIONS, Message, page
from tests.test_translations import ROOT, in_python, in_template

HAN = re.compile("[\u4e00-\u9fff]")
# Where messages come from. In Python files every text is one; in templates those that are sentences.
IN_PYTHON = (
    "chat/notes.py",
    "chat/note_words.py",
    "chat/messages.py",
    "chat/forms.py",
    "chat/organising.py",
    "chat/actions.py",
    "chat/views.py",
    "accounts/refusals.py",
    "accounts/adapter.py",
    "accounts/lockout.py",
    "portal/views.py",
    "providers/failure_words.py",
)
IN_TEMPLATES = ("account/*.html", "account/messages/*.txt", "errors/*.html", "chat/_words.html", "chat/_composer.html")
SENTENCE = re.compile(r"[.:]$|\. ")
# Sentences that inform where they stand, on forms and in the list of keys; no answer to anything that happened.
STANDING = {
    "With the e-mail address of your work.",
    "With your account at the company.",
    "”, “",
}
PLACEHOLDER = re.compile(r"%\\?\(\w+\\?\)[sd]|%[sd]|\\?\{\w*\\?\}")
RULES = {
    "a class name": re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b|\b[a-z]+\.[a-z]+\.[A-Z]\w+"),
    "a status number": re.compile(r"\b[1-5]\d\d\b(?! (?:characters|个字符|names|字符))"),
    "the bare word error": re.compile(r"\berrors?\b|错误", re.IGNORECASE),
    "a placeholder that nobody filled": re.compile(r"%\(|%[sd]|\{\w*\}"),
}


def listed() -> list[Message]:
    return [message for rows in SECTIONS.values() for message in rows()]


def in_source() -> set[str]:
    found = {text for file in IN_PYTHON for text in in_python((ROOT / file).read_text())}
    for pattern in IN_TEMPLATES:
        for file in (ROOT / "templates").glob(pattern):
            found |= {text for text in in_template(file.read_text()) if SENTENCE.search(text)}
    return found - STANDING


def pattern_of(msgid: str) -> re.Pattern[str]:
    """The message as it may stand in the list, whatever its placeholders hold, in singular or plural."""
    text = PLACEHOLDER.sub(".+?", re.escape(msgid))
    return re.compile(text.replace("minute", "minutes?").replace("question\\ ahead", "questions?\\ ahead"))


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "python -m tests.message_list"


def test_every_message_of_the_code_is_on_the_page() -> None:
    words = "\n".join(message.english.replace("**", "") for message in listed())
    assert sorted(text for text in in_source() if not pattern_of(text).search(words)) == []


def test_a_message_that_is_not_on_the_page_would_be_noticed() -> None:
    words = "\n".join(message.english for message in listed())
    assert not pattern_of("This sentence stands nowhere.").search(words)
    assert len(in_source()) > 80


@pytest.mark.parametrize("message", listed(), ids=lambda message: message.when)
def test_a_message_keeps_to_the_rules(message: Message) -> None:
    assert not HAN.search(message.english)
    assert HAN.search(message.chinese)
    for name, rule in RULES.items():
        assert not rule.search(message.english), name
        assert not rule.search(message.chinese), name
    assert len(message.buttons) <= 2
    assert message.kept
    assert message.who
    assert message.quote


def test_the_rules_see_what_they_forbid() -> None:
    for text in ("openai.types.Chat broke", "ConnectError: no", "HTTP 502", "An error", "发生错误", "%(n)s left"):
        assert any(rule.search(text) for rule in RULES.values()), text


@pytest.mark.django_db
@pytest.mark.parametrize("others", [0, 1, 3])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_failed_answer_offers_one_or_two_buttons(kind: Kind, others: int) -> None:
    with translation.override("en"):
        turn = look.answer("buttons", state="failed", kind=kind.value)
        turn.others = list(turn.others) * others
        turn.note = notes.note(Facts("u", "failed", kind=kind.value, others=others))
        html = Engine.get_default().get_template("chat/_note.html").render(Context({"turn": turn, "note": turn.note}))
    assert 1 <= len(re.findall(r'class="btn', html)) <= 2
