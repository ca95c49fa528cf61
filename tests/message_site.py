"""What a person is told of a model's modes, of a provider that stood in, and of maintenance: rows for docs/messages.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from accounts import maintenance
from accounts.models import Organisation

if TYPE_CHECKING:
    from tests.message_list import Message


def of_the_site() -> Iterator[Message]:
    """The refusals and lines, with sample names."""
    from tests.message_list import KEPT, Message, both, plain

    gone = "This model has no such mode. Your text is kept; reload the page to see the modes that it has."
    yield plain("a mode that the model no longer has", gone, kept=KEPT)

    def stood_in() -> str:
        names = {"other": "OpenAI", "provider": "Azure OpenAI"}
        return _("%(other)s does not answer at the moment: this is from %(provider)s.") % names

    yield Message("the next provider answered", *both(stood_in), "the answer counts as always", (), "the person", "–")
    yield Message(
        "maintenance, a question is sent",
        *both(lambda: maintenance.words(Organisation())),
        "the text stays in the box; nothing is sent or counted",
        (),
        "the person",
        "–",
    )
    banner = (
        "Nothing new can be sent for now. Your conversations can be read, what was sent before is answered, "
        "and a text in the box is kept."
    )
    yield plain("maintenance, on the page", banner, kept="conversations and the text in the box")
    yield plain("maintenance, for programs", "Maintenance: try again later.", kept="nothing was changed")
