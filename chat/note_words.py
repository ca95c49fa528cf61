"""What the page says of each way in which an answer fails or breaks off. Words and what can be done; no state is read here."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext as _

_AGAIN = ("retry", "other_model")
_OTHER = ("other_model",)
_EDIT = ("edit",)


class Words(NamedTuple):
    """What happened, what can be done about it (actions of chat.notes), and advice beyond them if there is any."""

    lead: str
    actions: tuple[str, ...]
    advice: str = ""


def interrupted(kind: str) -> str:
    """What happened to an answer that has text and is not finished."""
    if kind in ("worker_lost", "hand_back"):
        return _("The answer is not finished: the service restarted.")
    if kind in ("stalled", "deadline"):
        return _("The answer is not finished: the provider stopped sending.")
    if kind == "too_large":
        return _("The answer is not finished: it became too large.")
    if kind == "bad_stream":
        return _("The answer is not finished: the provider sent something that could not be read.")
    return _("The answer is not finished: the connection to the provider was lost.")


def failed(kind: str) -> Words:
    """What happened to an answer without text, and what can be done now."""
    return _of_the_provider(kind) or _of_the_setup(kind) or _of_ours(kind)


def _of_the_provider(kind: str) -> Words | None:
    reword = _("You can reword it.")
    return {
        "rate_limit": Words(_("The model is busy."), _AGAIN),
        "server_error": Words(_("The model service has a fault."), _AGAIN),
        "unreachable": Words(_("The model service cannot be reached."), _AGAIN),
        "first_byte_timeout": Words(_("The model did not begin to answer in time."), _AGAIN),
        "stalled": Words(_("The provider stopped sending."), _AGAIN),
        "cut_off": Words(_("The connection to the provider was lost."), _AGAIN),
        "bad_stream": Words(_("The provider sent something that could not be read."), _AGAIN),
        "too_large": Words(_("The answer was too large."), _AGAIN),
        "content_filter": Words(_("The provider's content filter refused the question."), _EDIT, reword),
        "bad_request": Words(_("The provider refused the question."), _OTHER),
    }.get(kind)


def _of_the_setup(kind: str) -> Words | None:
    """What an administrator has to mend, and what no retry will mend."""
    tell = _("Tell your administrator.")
    shorter = _("Start a new chat, or use a model with a larger window.")
    broke = _("The organisation's account with the provider has no credit.")
    return {
        "no_credit": Words(broke, _OTHER, _("Your administrator can see it.")),
        "not_a_stream": Words(_("The provider's address answers, but not as a model does."), _AGAIN, tell),
        "redirect": Words(_("The provider's address leads elsewhere."), _OTHER, tell),
        "bad_key": Words(_("The model is not set up correctly."), _OTHER, tell),
        "model_gone": Words(_("This model is not available any more."), _OTHER),
        "no_model": Words(_("This model is not available any more."), _OTHER),
        "context_too_long": Words(_("The conversation is too long for this model."), _OTHER, shorter),
    }.get(kind)


def _of_ours(kind: str) -> Words:
    poisoned = _("This question ended the service's worker twice, so it is not tried again.")
    held = _("Other answers held the rest of your allowance for a whole minute.")
    return {
        "limit_reached": Words(_("Your allowance was used up before it was this question's turn."), _OTHER),
        "limit_held": Words(held, _AGAIN),
        "deadline": Words(_("The question could not be answered in time."), _AGAIN),
        "poisoned": Words(poisoned, _EDIT, _("You can reword it.")),
    }.get(kind, Words(_("Something went wrong on our side."), _AGAIN))
