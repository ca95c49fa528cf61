"""What a person sees when the company's sign-in does not let her in: rows for docs/messages.md, asked from the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from accounts import sso_only
from accounts.sso_refusals import WORDS, Refusal

if TYPE_CHECKING:
    from tests.message_list import Message

CONNECTING = {"other", "second", "changed"}
NO_ADDRESS = {"other", "second", "changed", "unknown"}


def of_the_company() -> Iterator[Message]:
    """Each refusal with what to do, and the one sentence for passwords while they are switched off."""
    from tests.message_list import ANYBODY, NOTHING, Message, both

    way = {True: ("To my company sign-in",), False: ("To the sign-in page",)}
    for code in WORDS:
        refusal = Refusal(code, email="" if code in NO_ADDRESS else "ada@example.com")

        def words(refusal: Refusal = refusal) -> str:
            said = refusal.words
            return f"{said.what} {said.do}"

        kept = "both accounts as they are" if code in CONNECTING else NOTHING
        buttons = way[code in CONNECTING]
        quote = "the request id on the page"
        yield Message(code.replace("_", " "), *both(words), kept, buttons, ANYBODY, quote)
    closed = both(lambda: str(sso_only.CLOSED))
    yield Message("a password, while they are off", *closed, NOTHING, ("Continue with …",), ANYBODY)
