"""Tickets, and what a reader sees: polled at any points, at any copy, it is the text so far, and at the end the stored answer."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.conf import LazySettings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import User
from chat.live import BLOCK_NAMES, LiveAnswer, Ticket, path_of, poll_url, read_ticket
from chat.models import Delta, Generation
from chat.rendering import LiveBlocks, render
from tests.chat.test_rendering import texts

TICKET = Ticket(str(uuid.uuid4()), 7, 1, "session-a", "en", int(time.time()) + 36_000)


def text_of(ticket: Ticket) -> str:
    return path_of(ticket).partition("ticket=")[2]


def read(text: str, *, generation: str = TICKET.generation, session_key: str = TICKET.session_key) -> Ticket | None:
    return read_ticket(text, generation=generation, session_key=session_key)


def test_a_ticket_opens_what_it_was_made_for() -> None:
    assert path_of(TICKET).startswith(f"/live/{TICKET.generation}?ticket=")
    assert read(text_of(TICKET)) == TICKET
    assert read(text_of(TICKET), generation=TICKET.generation.upper()) == TICKET


def test_a_ticket_opens_nothing_else() -> None:
    text = text_of(TICKET)
    assert read(text, generation=str(uuid.uuid4())) is None
    assert read(text, generation="../../etc/passwd") is None
    assert read(text, session_key="session-b") is None
    assert read(text, session_key="") is None
    assert read(text_of(replace(TICKET, expires=int(time.time()) - 1))) is None


@pytest.mark.parametrize("place", range(5))
def test_no_part_of_a_ticket_can_be_changed(place: int) -> None:
    parts = text_of(TICKET).split(".")
    parts[place] = {3: "zh"}.get(place) or ("0" if parts[place][0] != "0" else "1") + parts[place][1:]
    assert read(".".join(parts)) is None


@given(text=st.text(max_size=80))
def test_what_is_no_ticket_is_none(text: str) -> None:
    assert read(text) is None
    assert read(text_of(TICKET) + text) in (None, TICKET if not text else None)


def test_another_secret_makes_other_tickets(settings: LazySettings) -> None:
    text = text_of(replace(TICKET, user_id=8))  # one that was never read
    settings.SECRET_KEY = "another" * 10
    assert read(text) is None


def test_a_poll_url_is_bound_to_person_session_version_and_time(settings: LazySettings) -> None:
    settings.TICKET_S = 100
    url = poll_url(Generation(uuid=uuid.UUID(TICKET.generation)), session_key="s", user=User(pk=9, session_version=4))
    ticket = read(url.partition("ticket=")[2], session_key="s")
    assert ticket is not None
    assert (ticket.user_id, ticket.session_version, ticket.session_key) == (9, 4, "s")
    assert 98 <= ticket.expires - time.time() <= 100


# --- the reader ------------------------------------------------------------------------------------------------------


@dataclass
class Page:
    """What the page keeps of its polls; it knows no more than the answers."""

    seen: int = 0
    blocks: dict[int, str] = field(default_factory=dict)
    tail: str = ""
    open: int | None = None
    reasoning: str = ""
    state: str = ""

    def poll(self, copy: LiveAnswer, *, names_open: bool) -> dict[str, Any]:
        made = copy.payload(seen=self.seen, opened=self.open if names_open else None)
        self.seen, self.state, self.tail, self.open = made["seq"], made["state"], made["tail"], made["open"]
        self.blocks.update(dict(made["blocks"]))
        self.reasoning = made.get("reasoning", self.reasoning)
        if not copy.active:
            self.blocks = {i: html for i, html in self.blocks.items() if i < len(made["blocks"])}
        return made


def copy_of(uuid_: str = "u") -> LiveAnswer:
    return LiveAnswer(1, uuid_, 1, 1, state="streaming", revision=3)


def assert_shows(page: Page, text: str) -> None:
    """The page shows this text: closed blocks as they are for ever, of the open one a part as HTML and the rest as words."""
    blocks = LiveBlocks()
    blocks.feed(text)
    assert [page.blocks[i] for i in range(len(blocks.closed))] == blocks.closed
    assert page.open is not None
    closed, chars = divmod(page.open, BLOCK_NAMES)
    assert closed == len(blocks.closed)
    source = blocks.open_source
    assert page.tail == source[chars:]
    if chars:
        assert page.blocks[closed] == html_of_open(text, source=source[:chars])


def html_of_open(text: str, *, source: str) -> str:
    """What the open block looked like when its source was no more than this."""
    for end in range(len(text), -1, -1):
        blocks = LiveBlocks()
        blocks.feed(text[:end])
        if blocks.open_source == source:
            return blocks.open_html()
    raise AssertionError(f"the open block never was {source!r}")


STEPS = st.lists(
    st.tuples(st.sampled_from(["feed", "render", "poll", "poll open"]), st.integers(0, 1), st.integers(1, 4)),
    max_size=25,
)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


@hypothesis_settings(max_examples=400, deadline=None)
@given(text=texts, cuts=st.lists(st.integers(0, 80), max_size=10), steps=STEPS, started=st.integers(0, 6))
def test_a_reader_at_two_copies_always_sees_the_text_so_far_and_in_the_end_the_stored_answer(
    text: str, cuts: list[int], steps: list[tuple[str, int, int]], started: int
) -> None:
    before, after = text[:started], text[started:]  # a continued answer
    pieces = pieces_of(after, cuts)
    copies, fed = [copy_of("a"), copy_of("b")], [0, 0]
    for copy in copies:
        copy.begin(before, reasoning="")
    page = Page()
    for action, which, size in steps:
        copy = copies[which]
        if action == "feed":
            part = pieces[fed[which] : fed[which] + size]
            copy.feed([(fed[which] + n, Delta.Kind.TEXT, piece) for n, piece in enumerate(part, start=1)])
            fed[which] += len(part)
        elif action == "render":
            copy.render_open(now=time.monotonic())
        else:
            page.poll(copy, names_open=action == "poll open")
            assert_shows(page, before + "".join(pieces[: fed[which]]))
    for copy in copies:
        copy.finish(state="done", revision=copy.revision + len(pieces) + 1, html=render(text), reasoning="")
    page.poll(copies[0], names_open=True)
    assert [page.blocks[i] for i in sorted(page.blocks)] == render(text)
    assert (page.tail, page.state) == ("", "done")


@given(kinds=st.lists(st.sampled_from([0, 1]), min_size=1, max_size=12), polls=st.lists(st.integers(0, 12)))
def test_reasoning_is_sent_whole_whenever_it_has_grown(kinds: list[int], polls: list[int]) -> None:
    copy, page = copy_of(), Page()
    copy.begin("", reasoning="before ")
    whole = "before "
    for number, kind in enumerate(kinds, start=1):
        copy.feed([(number, kind, f"{number} ")])
        whole += f"{number} " if kind else ""
        if number in polls:
            page.poll(copy, names_open=True)
            assert page.reasoning == whole


def test_an_unchanged_open_block_is_not_sent_again_to_who_names_it() -> None:
    copy, page = copy_of(), Page()
    copy.feed([(1, 0, "a *b* c")])
    copy.render_open(now=time.monotonic())
    assert page.poll(copy, names_open=True)["blocks"] == [(0, "<p>a <em>b</em> c</p>\n")]
    copy.feed([(2, 0, " d")])
    made = page.poll(copy, names_open=True)
    assert (made["blocks"], made["tail"]) == ([], " d")
    assert len(page.poll(copy, names_open=False)["blocks"]) == 1


def test_spaces_that_turn_out_to_be_an_empty_line_hide_no_words() -> None:
    copy, page = copy_of(), Page()
    copy.feed([(1, 0, "    ")])
    copy.render_open(now=time.monotonic())
    copy.feed([(2, 0, "\nword")])
    page.poll(copy, names_open=True)
    assert page.tail == "word"


def test_the_open_block_is_rendered_only_when_it_has_grown_and_is_old_enough(settings: LazySettings) -> None:
    settings.RENDER_EVERY_S = 10
    copy = copy_of()
    copy.open_at = 100.0
    copy.feed([(1, 0, "a")])
    assert not copy.wants_rendering(now=105.0, every=10)
    assert copy.wants_rendering(now=111.0, every=10)
    copy.render_open(now=111.0)
    assert not copy.wants_rendering(now=200.0, every=10)
