"""However the bytes are cut, the same events come out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.client_sse import Reader, TooLong

Events = list[tuple[bytes, bytes]]


def read(chunks: list[bytes], *, max_line: int = 1 << 20) -> Events:
    reader = Reader(max_line=max_line)
    found: Events = []
    for chunk in chunks:
        found += reader.feed(chunk)
    return found + reader.finish()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(marks)]


PIECES = st.sampled_from(
    [
        "data: a",
        "data:b",
        "data: 答🙂",
        "data:",
        "event: error",
        "event:",
        ": comment",
        "id: 1",
        "",
        "x",
        "\r",
        "\n",
        "\r\n",
        "\ufeff",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
TEXTS = st.lists(st.tuples(PIECES, ENDS), max_size=20).map(lambda lines: "".join(a + b for a, b in lines).encode())


@given(data=TEXTS, places=st.lists(st.integers(0, 500), max_size=12))
def test_any_cutting_gives_the_same_events(data: bytes, places: list[int]) -> None:
    assert read(cut(data, places)) == read([data])


@given(data=TEXTS)
def test_byte_by_byte_gives_the_same_events(data: bytes) -> None:
    assert read([data[i : i + 1] for i in range(len(data))]) == read([data])


@given(
    values=st.lists(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), min_size=1)),
    end=ENDS,
)
def test_what_was_written_is_read(values: list[list[str]], end: str) -> None:
    text = "".join("".join(f"data: {line}{end}" for line in lines) + end for lines in values)
    assert read([text.encode()]) == [(b"", "\n".join(lines).encode()) for lines in values]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
        (b"event: error\ndata: {}\n\ndata: b\n\n", [(b"error", b"{}"), (b"", b"b")]),
        (b"event: error\n\ndata: b\n\n", [(b"", b"b")]),
        (b": hi\n\n\n\n", []),
        (b"data: a\ndata\nid: 3\nretry: 5\n\n", [(b"", b"a")]),
        (b"data: a\r\rdata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")]),
        (b"data: whole\n\ndata: cut", [(b"", b"whole"), (b"", b"cut")]),
    ],
)
def test_events_as_the_standard_has_them(data: bytes, expected: Events) -> None:
    assert read([data]) == expected


def test_an_event_is_given_at_its_last_byte_even_when_that_is_a_cr() -> None:
    reader = Reader()
    assert reader.feed(b"data: a\r\n\r") == [(b"", b"a")]
    assert reader.feed(b"\ndata: b\r\n\r\n") == [(b"", b"b")]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_longer_than_allowed_is_refused_without_being_kept(size: int) -> None:
    data = b"data: " + b"x" * 2000
    with pytest.raises(TooLong):
        read([data[i : i + size] for i in range(0, len(data), size)], max_line=1000)


def test_many_short_lines_of_one_event_are_bounded_too() -> None:
    with pytest.raises(TooLong):
        read([b"data: 12345\n" * 300], max_line=1000)
