"""A correction is a further entry with a reason, told in the trail; it never takes back more than was counted."""

from __future__ import annotations

import pytest

from accounts.models import AuditEvent
from accounts.refusals import NotPossible
from tests.usage import making
from usage import corrections, quotas

pytestmark = pytest.mark.django_db


def test_a_correction_needs_a_reason_and_a_call_and_is_told() -> None:
    ada, root = making.person("ada"), making.person("root")
    given = making.hold(ada)
    making.reserve(given)
    quotas.settle([making.call(given)], now=making.NOW)
    entry = corrections.correct(given.request_id, tokens=(-10, 0), reason="counted twice", by=root)
    event = AuditEvent.objects.get()
    assert (event.action, event.concerns, event.changes["input_tokens"]) == ("limit.corrected", ada.uuid, [None, -10])
    assert (entry.by, entry.reason) == (root.uuid, "counted twice")
    for call, tokens, reason, code in (
        (given.request_id, (0, 0), " ", "reason"),
        (making.new(), (0, 0), "x", "gone"),
        (given.request_id, (-81, 0), "x", "amount"),
    ):
        with pytest.raises(NotPossible, match=code):
            corrections.correct(call, tokens=tokens, reason=reason, by=root)
    assert AuditEvent.objects.count() == 1
