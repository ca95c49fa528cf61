"""A question that was refused leaves a row in the log of calls, under the id that its asker is told. Its text is kept nowhere.

Refusals that are the asker's to mend at once (a stale page, an empty box) leave none: nobody asks an administrator about them.
"""

from __future__ import annotations

from uuid import UUID

from accounts import clock
from accounts.models import Membership, User
from chat.doors import PAGE, Door
from chat.refusals import Refused
from providers.models import LanguageModel
from usage import call_lines

CODES = ("limit_reached", "no_price", "prompt_too_large", "no_model")


def note(user: User, refused: Refused, *, request_id: str, model: str | None, door: Door = PAGE) -> None:
    """Writes the row. `model` is the word for the model that was asked for, if one was."""
    if refused.code not in CODES:
        return
    pays = Membership.objects.filter(user=user, is_primary=True).values_list("team__uuid", "team__name").first()
    named = LanguageModel.objects.filter(slug=model).values_list("uuid", "name").first() if model else None
    call_lines.refuse(
        UUID(request_id),
        why=refused.code,
        person=(user.uuid, user.get_full_name()),
        team=pays or (None, ""),
        model=named or (None, ""),
        now=clock.now(),
        source=door.source,
        key=door.key,
    )
