"""What an administrator reads when a test of a provider failed: what it means, and what to do. StrOrPromise only."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from providers.failures import Kind

_BROKEN = (
    _("Something answers at this address, but not in the way that was expected."),
    _("Check that the address goes up to and with /v1 and belongs to an OpenAI-compatible service."),
)
_WORDS: Mapping[Kind, tuple[StrOrPromise, StrOrPromise]] = {
    Kind.BAD_KEY: (
        _("The provider does not accept the key."),
        _("Copy the key again, whole. It must belong to this address, and it may lack the right to use this model."),
    ),
    Kind.NO_CREDIT: (
        _("The key works, but the account has no credit."),
        _("Top the account up at the provider, then test again."),
    ),
    Kind.RATE_LIMIT: (
        _("The provider answers, but asks us to slow down."),
        _("Wait a minute and test again. If it stays so, the account's limits are too low."),
    ),
    Kind.UNREACHABLE: (
        _("Nobody answers at this address."),
        _("Check the address for mistakes. If this machine reaches the internet only through a proxy, enter it below."),
    ),
    Kind.FIRST_BYTE_TIMEOUT: (
        _("The provider took the question but did not answer in time."),
        _("A model that is loaded for the first time can be slow: test again, or choose a smaller model."),
    ),
    Kind.SERVER_ERROR: (
        _("The provider has trouble of its own."),
        _("Test again in a minute; look at the provider's status page if it goes on."),
    ),
    Kind.MODEL_GONE: (
        _("The provider does not know this model, or nothing lives at this address."),
        _("Choose another model. If every model fails, check the end of the address."),
    ),
    Kind.BAD_REQUEST: (
        _("The provider did not understand the question."),
        _("Choose a chat model. If every model fails, this service is not OpenAI-compatible."),
    ),
    Kind.REDIRECT: (
        _("The provider sends us to another address."),
        _("Enter the address it really lives at; a key is never carried along to another one."),
    ),
    Kind.CONTENT_FILTER: (
        _("The provider's content filter refused the question."),
        _("The connection works. Test with another model."),
    ),
    Kind.STALLED: (
        _("The answer began and then stopped."),
        _("Test again; look at the provider's status page if it goes on."),
    ),
    Kind.CUT_OFF: (
        _("The connection broke in the middle of the answer."),
        _("Test again. A proxy or firewall on the way may cut long answers."),
    ),
}


def explain(kind: str) -> tuple[StrOrPromise, StrOrPromise]:
    """What happened, and what to do about it."""
    try:
        return _WORDS.get(Kind(kind), _BROKEN)
    except ValueError:
        return _BROKEN
