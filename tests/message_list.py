"""Every message a person can see, in both languages, as docs/messages.md lists it. `python -m tests.message_list` writes the page.

Answers' notes and the provider test's words are asked from the code; for the others what is kept and what to do stands here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from django.utils import translation
from django.utils.translation import gettext, ngettext

from chat import notes
from chat.notes import Facts
from providers import failure_words
from providers.failures import Kind
from tests import message_list_people
from tests.message_company import of_the_company
from tests.message_sign_in import of_links, of_second_factors
from tests.message_site import of_the_site

PAGE = Path(__file__).resolve().parent.parent / "docs" / "messages.md"
PERSON, ADMIN, PROGRAM, ANYBODY = "the person", "an administrator", "programs", "whoever comes"
BUTTONS = {
    "retry": "Retry",
    "regenerate": "Regenerate",
    "continue": "Continue",
    "edit": "Edit the question",
    "other_model": "Answer with “Quick”",
}
KEPT = "the text stays in the box; nothing is sent or counted"
NOTHING = "nothing is changed"
SAMPLES: dict[str, Any] = {
    "minutes": 15, "contact": "it@example.com", "address": "https://chat.example.com", "names": "report.pdf", "n": 5200,
    "used": "¥20.00", "limit": "¥20.00", "model": "Quick",
    "email": "ada@example.com", "old": "ada@example.com", "new": "ada@example.org",
}  # fmt: skip


@dataclass(frozen=True)
class Message:
    """One row: when it is shown, its words by language, what is kept and whether it counts, buttons, for whom, what to quote."""

    when: str
    english: str
    chinese: str
    kept: str
    buttons: tuple[str, ...] = ()
    who: str = PERSON
    quote: str = "–"


def both(words: Callable[[], str]) -> tuple[str, str]:
    """What `words` says in English and in Chinese."""
    with translation.override("en"):
        english = words()
    with translation.override("zh-hans"):
        return english, words()


def filled(msgid: str) -> str:
    """A message of the source in the active language, with sample values."""
    text = gettext(msgid)
    if "minute" in msgid and "%(" in msgid:
        text = ngettext(msgid, msgid.replace("minute,", "minutes,").replace("minute.", "minutes."), 15)
    if "%(" in text:
        return text % SAMPLES
    if "%d" in text:
        return text % (200 if "title" in msgid else 100_000)
    if "%s" in text:
        return text % "text"
    return text.replace("{names}", SAMPLES["names"]).replace("{n}", "5200")


def plain(
    when: str, *msgids: str, kept: str, buttons: tuple[str, ...] = (), who: str = PERSON, quote: str = "–"
) -> Message:
    """A row made of messages of the source, one after the other; a heading stands out."""

    def words() -> str:
        texts = [filled(msgid) for msgid in msgids]
        if len(texts) > 1 and not texts[0].endswith((".", "。", "?", "？")):
            return f"**{texts[0]}** {notes.together(texts[1:])}"
        return notes.together(texts)

    return Message(when, *both(words), kept, buttons, who, quote)


# --- answers ------------------------------------------------------------------------------------------------------------


def _facts() -> Iterator[tuple[str, Facts, str]]:
    """(when, what the note is made of, what is kept and whether it counts)."""
    safe, half = "the question is stored; nothing counts yet", "question and text are kept; both count"
    queued = Facts("u", "queued", age=5)
    yield "waits", queued, safe
    yield "waits, one ahead", replace(queued, ahead=1), safe
    yield "waits, three ahead", replace(queued, ahead=3, about=8), safe
    yield "waits long", replace(queued, ahead=40, about=120), safe
    yield "the provider is busy", replace(queued, kind="rate_limit", tries=1, retry_in=4.0), safe
    yield "the provider does not answer", replace(queued, kind="unreachable", tries=1, retry_in=1.0), safe
    yield "no worker is alive", replace(queued, no_worker=True), safe
    yield "the provider is known to be broken", replace(queued, circuit="unreachable"), safe
    working = replace(queued, circuit="unreachable", working=("Quick", "Thorough"))
    yield "the provider is known to be broken, others work", working, safe
    yield "the allowance is held by other answers", Facts("u", "waiting"), safe
    yield "stopped", Facts("u", "cancelled", has_text=True, others=1), half
    yield "stopped before the first word", Facts("u", "cancelled", others=1), "the question is kept; at most it counts"
    for kind in ("cut_off", "worker_lost", "stalled", "too_large", "bad_stream"):
        yield f"broken off: {kind}", Facts("u", "interrupted", kind=kind, has_text=True, others=1), half
    yield "the length is reached", Facts("u", "done", finish_reason="length", has_text=True), half
    yield "filtered in mid-answer", Facts("u", "done", finish_reason="content_filter", has_text=True), half
    yield "an empty answer", Facts("u", "done", finish_reason="stop", others=1), "the question is kept; it counts"
    for failed in Kind:
        if failed not in (Kind.WORKER_LOST, Kind.HAND_BACK):
            facts = Facts("u", "failed", kind=failed.value, charged=False, others=1)
            yield f"failed: {failed.value}", facts, "the question is kept; it does not count"
    alone = Facts("u", "failed", kind="model_gone", charged=False, others=0)
    yield "failed, and there is no other model", alone, "the question is kept; it does not count"
    yield (
        "failed after the provider had begun",
        Facts("u", "failed", kind="stalled", others=1),
        "the question is kept; it may count",
    )


def of_answers() -> Iterator[Message]:
    """What stands under or in place of an answer."""
    for when, facts, kept in _facts():
        english, chinese = both(lambda facts=facts: _note(facts)["text"])  # type: ignore[misc]  # bound at once
        made = _note(facts)
        buttons = tuple(BUTTONS[action] for action in made["actions"])
        quote = "the answer's id" if made["level"] == "bad" else "in the answer's details"
        yield Message(when, english, chinese, kept, buttons, quote=quote)
    day = {"en": "tomorrow at 00:00 (Beijing time)", "zh-hans": "明天 00:00（北京时间）"}
    name = {"en": "Quick", "zh-hans": "快速"}

    def limit() -> str:
        tongue = translation.get_language() or "en"
        made = notes.limit_note(used="¥20.00", limit="¥20.00", until=day[tongue], works=name[tongue])
        return str(made["text"])

    english, chinese = both(limit)
    yield Message("the limit is reached", english, chinese, KEPT, (BUTTONS["other_model"],))


def _note(facts: Facts) -> dict[str, Any]:
    made = notes.note(facts)
    assert made is not None, facts
    return made


# --- the box ------------------------------------------------------------------------------------------------------------


def of_the_box() -> Iterator[Message]:
    """Lines above the box, refusals of a send, what is announced."""
    yield plain("offline", "No connection. Your text is kept; trying again.", kept=KEPT)
    signed_out = "You are signed out. Your text is kept."
    yield plain("signed out in another tab", signed_out, kept=KEPT, buttons=("Sign in",))
    other = "Somebody else is signed in here now. Your text stays in the box."
    yield plain("another person has signed in", other, kept=KEPT)
    yield plain("not understood answer", "This did not work. Your text is kept; please try again.", kept=KEPT)
    moved = "This conversation was continued elsewhere. Here is the newest state; your text is still in the box."
    yield plain("a stale tab sends", moved, kept=KEPT)
    yield plain("an answer is running", "An answer is still being written in this conversation.", kept=KEPT)
    held = "A legal hold covers your conversations: nothing is removed for good until it ends. The bin keeps them."
    yield plain("the bin is emptied under a legal hold", held, kept=NOTHING)
    yield plain("nothing written", "Write a question first.", kept=NOTHING)
    yield plain("too long", "The question is too long: at most %d characters.", kept=KEPT)
    yield plain("unstorable", "The text has characters that can't be stored.", kept=KEPT)
    yield plain("no such model", "No such model is available to you.", kept=KEPT)
    yield plain("a file is dropped", "Files cannot be attached yet: {names}. What you typed is kept.", kept=KEPT)
    long = "This is a long text ({n} characters). It stays in the box; attaching it as a file comes later."
    yield plain("a long text is pasted", long, kept=KEPT)
    copying = "The browser did not allow copying. The text is selected: press Ctrl+C (⌘C)."
    yield plain("copying is not allowed", copying, kept=NOTHING)
    yield plain(
        "a question waits",
        "Will be sent next:",
        kept="kept in this browser until it is sent",
        buttons=("Back into the box",),
    )
    editing = "You are rewording a question; what followed it stays in the history."
    yield plain("a question is edited", editing, kept="the old question and its answer", buttons=("Cancel",))
    yield plain(
        "no model is connected", "No model is connected: a simulator answers.", kept="everything; nothing costs money"
    )
    yield plain("always", "Answers may be wrong; check what matters.", kept="–")
    yield plain("announced at an end", "The answer ended early.", kept="see the answer's note")
    yield plain("a title is empty", "Write a title first.", kept="the old title")
    yield plain("a title is too long", "A title has at most %d characters.", kept="the old title")


def of_programs() -> Iterator[Message]:
    """What only programs meet, by the code of the refusal."""
    quote = "request_id in the answer"
    rows = {
        "bad_body": "Send a form or a JSON object.",
        "bad_field": "The field “%s” can't be read.",
        "too_large": "The request is too large.",
        "bad_client_id": "client_id must be 8 to 64 letters, digits, '-', '_', '.' or ':'.",
        "client_id_reused": "This client_id was used for another text.",
        "not_a_question": "Only a question can be edited.",
        "not_an_answer": "This works on an answer only.",
        "signed_out": "Sign in first.",
        "too_many_tries": "Too many tries. Wait %(minutes)d minute.",
    }
    for code, msgid in rows.items():
        yield plain(code, msgid, kept=NOTHING, who=PROGRAM, quote=quote)


# --- the door -----------------------------------------------------------------------------------------------------------


def of_the_door() -> Iterator[Message]:
    """Signing in, passwords, signing out."""
    back = ("Back to signing in",)
    wrong = "E-mail or password is wrong, or the account is switched off."
    yield plain("wrong sign-in", wrong, kept="the e-mail stays in the form", buttons=("Sign in",))
    pause = "Signing in is paused from here for this address. Wait %(minutes)s minute, then try again."
    yield plain(
        "too many tries", "Too many tries", pause, "If this was not you, tell %(contact)s.", kept=NOTHING, buttons=back
    )
    yield plain("no mail", "Mail is not set up here. Ask %(contact)s for a link.", kept=NOTHING, buttons=back)
    yield plain(
        "no mail, no contact", "Mail is not set up here. Ask your administrator for a link.", kept=NOTHING, buttons=back
    )
    ask = "Enter your e-mail address; a link to choose a new password comes by mail."
    yield plain("password forgotten", ask, kept=NOTHING, buttons=("Send the link",))
    sent = "If the address has an account, a link is on its way. It works once and for three days."
    nothing = "Nothing came? Look into the spam folder, or ask %(contact)s."
    yield plain(
        "link sent", "Look into your mail", sent, nothing, kept="the old password works until then", buttons=back
    )
    over = ("This link no longer works", "It has been used, or it is too old.")
    yield plain("old link", *over, kept="the old password", buttons=("Get a new link",))
    yield plain("old link, sent twice", "This link has been used or is too old.", kept="the old password")
    yield plain(
        "new password by link",
        "Every device will be signed out.",
        kept="conversations",
        buttons=("Change the password",),
    )
    done = ("The password has been changed", "Every device is signed out. Sign in with the new password.")
    yield plain("changed by link", *done, kept="conversations", buttons=("Sign in",))
    once = "You signed in with a one-time password. Choose one that only you know; then you can go on."
    yield plain("one-time password", once, kept="everything", buttons=("Change the password", "Sign out"))
    yield plain(
        "password, by oneself",
        "Every other device will be signed out.",
        kept="conversations",
        buttons=("Change the password",),
    )
    before = "A new password signs out every other device."
    yield plain("before that", before, kept="conversations", buttons=("Change the password",))
    made = ("No registration here", "Accounts are made by your administrator. Ask %(contact)s.")
    yield plain("registration", *made, kept=NOTHING, buttons=back, who=ANYBODY)
    yield plain(
        "registration, no contact", "Accounts are made by your administrator.", kept=NOTHING, buttons=back, who=ANYBODY
    )
    on = "Answers that are being written go on; you will find them when you come back."
    yield plain("signing out", on, kept="everything; drafts in this browser go", buttons=("Sign out",))
    yield plain("settings saved", "Saved.", kept="the new settings")


def of_passwords() -> Iterator[Message]:
    """Choosing a new password."""
    changed = "Your password has been changed. Every other device is signed out."
    yield plain("password changed", changed, kept="conversations")
    yield plain("the old one is wrong", "This is not your current password.", kept="the old password")
    yield plain("the new ones differ", "The two new passwords differ.", kept="the old password")
    same = "This is the password you have now. Choose another one."
    yield plain("the new one is the old one", same, kept="the old password")
    strength = "At least 10 characters. A few words that only you would put together are best."
    yield plain("what a password needs", strength, kept="–")


def of_people() -> Iterator[Message]:
    """Invitations, registration, leaving, teams."""
    for when, msgids, kept, buttons, who in message_list_people.ROWS:
        yield plain(when, *msgids, kept=kept, buttons=buttons, who=who)


def of_whole_pages() -> Iterator[Message]:
    """What stands alone on a page when something is refused or broken."""
    quote, back = "the request id on the page", ("Back to the chat",)
    rows: list[tuple[str, tuple[str, ...], str]] = [
        ("not found, or not yours", ("Nothing here", "This page does not exist, or is not yours."), NOTHING),
        (
            "no right to it",
            ("Not allowed", "Your account may not do this. If you need it, ask your administrator."),
            NOTHING,
        ),
        ("a one-time password is in use", ("Not allowed", "Choose a new password first."), NOTHING),
        (
            "unreadable",
            ("Not understood", "The request could not be read. Reload the page and try again."),
            "what was stored before",
        ),
        ("too large", ("Too large", "This is more than fits here."), "what was stored before"),
        (
            "a fault of ours",
            ("Something broke", "This is our fault, not yours. What you sent before is kept. Try again in a moment."),
            "what was stored before; nothing new counts",
        ),
        (
            "the database is away",
            (
                "Back in a moment",
                "The service is restarting or its storage is full. What was answered as sent is kept; nothing was half stored.",
            ),
            "what was stored before; nothing new counts",
        ),
        (
            "an old form",
            (
                "Send it again",
                "The page was open for too long, or cookies are switched off. Reload it and send again.",
            ),
            "what was stored before",
        ),
    ]
    for when, msgids, kept in rows:
        yield plain(when, *msgids, kept=kept, buttons=back, who=ANYBODY, quote=quote)
    unknown = "This address is not known here"
    mend = (
        "Should this address be served? The administrator sets this in the environment or in .env, then starts again:"
    )
    served = (unknown, "This site is served at %(address)s.", mend)
    yield plain("another address", *served, kept=NOTHING, buttons=("Go there",), who=ADMIN, quote=quote)
    own = "This site knows only the names and addresses of its own machine so far."
    how = "The administrator sets PUBLIC_URL, in the environment or in .env, to the address in people's browsers, and starts again."
    yield plain("another address, none set", unknown, own, how, kept=NOTHING, who=ADMIN, quote=quote)


def of_provider_tests() -> Iterator[Message]:
    """What an administrator reads when the test of a provider failed."""
    for kind in Kind:
        english, chinese = both(lambda kind=kind: notes.together([str(w) for w in failure_words.explain(kind)]))  # type: ignore[misc]  # bound at once
        yield Message(f"test: {kind.value}", english, chinese, "what was entered", ("Test again",), ADMIN)


SECTIONS: dict[str, Callable[[], Iterator[Message]]] = {
    "Answers": of_answers,
    "The box": of_the_box,
    "Modes, stand-ins, maintenance": of_the_site,
    "The door": of_the_door,
    "Passwords": of_passwords,
    "Second factors": of_second_factors,
    "Links and addresses": of_links,
    "The company's sign-in": of_the_company,
    "Coming and going": of_people,
    "Whole pages": of_whole_pages,
    "Testing a provider": of_provider_tests,
    "Programs": of_programs,
}
HEAD = """\
# Messages

Every message a person can see, in both languages. The pattern: what happened; what is kept and whether it counts; what to do now, with at
most two buttons. Written by `python -m tests.message_list`; `tests/test_messages.py` fails when the code says something else.

An answer's id is also the request id of its call: it stands in the answer's details, in the administration and in the log.
"""


def page() -> str:
    """docs/messages.md."""
    parts = [HEAD]
    for title, rows in SECTIONS.items():
        parts += [
            f"\n## {title}\n",
            "| when | English | 中文 | kept, counted | buttons | for | to quote |",
            "|---|---|---|---|---|---|---|",
        ]
        for each in rows():
            buttons = " · ".join(each.buttons) or "–"
            cells = (each.when, each.english, each.chinese, each.kept, buttons, each.who, each.quote)
            parts.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
