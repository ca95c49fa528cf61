"""Corrections of what a call took: a further entry with a reason, told in the audit trail. Nothing in the ledger is ever changed."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock
from accounts.models import User
from accounts.refusals import NotPossible
from usage import quotas
from usage.ledger_models import LedgerEntry


def correct(
    call: uuid.UUID, *, tokens: tuple[int, int] = (0, 0), cost_micro: int = 0, requests: int = 0, reason: str,
    by: User, request: HttpRequest | None = None,
) -> LedgerEntry:  # fmt: skip
    """More, or (negative) less, input and output, money, questions for a settled call. Raises NotPossible."""
    reason = reason.strip()[:500]
    if not reason:
        raise NotPossible("reason", _("Say why."))
    changes: audit.Changes = {
        "call": [None, call], "input_tokens": [None, tokens[0]], "output_tokens": [None, tokens[1]],
        "cost_micro": [None, cost_micro], "requests": [None, requests], "reason": [None, reason],
    }  # fmt: skip
    try:
        with transaction.atomic():
            entry = quotas.correct(
                call,
                tokens=tokens,
                cost_micro=cost_micro,
                requests=requests,
                reason=reason,
                by=by.uuid,
                now=clock.now(),
            )
            concerned = User.objects.filter(uuid=entry.person).first() if entry.person else None
            audit.record("limit.corrected", actor=by, request=request, changes=changes, concerns=concerned)
    except LookupError:
        raise NotPossible("gone", _("The ledger has no such call.")) from None
    except ValueError:
        raise NotPossible("amount", _("A correction cannot take more back than was counted.")) from None
    return entry
