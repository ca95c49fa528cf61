"""Proves that the ledger, the counters and the holds agree. Repairs nothing: a drift is a fault to be understood.

What must hold: a counter's `used` is what it opened with and what its lines used; its `held` is what the lines of open holds take;
a hold's lines used exactly what its entries in the ledger count (until it is settled, and where it is released: lost tries only); a
settled hold has one settlement and an open or released one none; windows of one counter never overlap.
"""

from __future__ import annotations

from collections.abc import Iterator

from accounts.prepared import fetch
from usage import month_closing

_COUNTED = """
    CASE q.unit WHEN 'requests' THEN e.requests WHEN 'tokens' THEN e.input_tokens + e.output_tokens
    WHEN 'input' THEN e.input_tokens WHEN 'output' THEN e.output_tokens WHEN 'cost' THEN e.organisation_cost_micro ELSE 0 END
"""
# A price that was known when the call was accepted and that nobody knows any more: what was held counts.
_UNKNOWN = "q.unit = 'cost' AND e.kind <> 'correction' AND e.organisation_cost_micro IS NULL"
CHECKS = {
    "counter {0}: used is {1}, its lines say {2}": """
        SELECT p.id, p.used, p.opening + COALESCE(SUM(l.used), 0) FROM usage_quotaperiod p
        LEFT JOIN usage_reservationline l ON l.period_id = p.id
        GROUP BY p.id, p.used, p.opening HAVING p.used <> p.opening + COALESCE(SUM(l.used), 0)""",
    "counter {0}: held is {1}, its open holds say {2}": """
        SELECT p.id, p.held, COALESCE(SUM(CASE WHEN r.state = 'held' THEN l.amount ELSE 0 END), 0) FROM usage_quotaperiod p
        LEFT JOIN usage_reservationline l ON l.period_id = p.id LEFT JOIN usage_reservation r ON r.id = l.reservation_id
        GROUP BY p.id, p.held HAVING p.held <> COALESCE(SUM(CASE WHEN r.state = 'held' THEN l.amount ELSE 0 END), 0)""",
    "call {0}: its line in counter {1} used {2}, the ledger says {3}": """
        SELECT r.request_id, l.period_id, l.used, COALESCE(SUM({counted}), 0) FROM usage_reservationline l
        JOIN usage_reservation r ON r.id = l.reservation_id JOIN usage_quotaperiod p ON p.id = l.period_id
        JOIN usage_quota q ON q.id = p.quota_id LEFT JOIN usage_ledgerentry e ON e.request_id = r.request_id
        GROUP BY r.request_id, r.state, l.period_id, l.used, l.amount, q.unit
        HAVING l.used IS NULL AND r.state <> 'held' OR COALESCE(l.used, 0) <> COALESCE(SUM({counted}), 0)
            + l.amount * SUM(CASE WHEN {unknown} THEN 1 ELSE 0 END)""",
    "call {0}: its hold is {1}, the ledger has {2} settlements": """
        SELECT r.request_id, r.state, COUNT(e.id) FROM usage_reservation r
        LEFT JOIN usage_ledgerentry e ON e.request_id = r.request_id AND e.kind = 'settle'
        GROUP BY r.request_id, r.state HAVING COUNT(e.id) <> CASE r.state WHEN 'settled' THEN 1 ELSE 0 END""",
    "call {0}: {1} entries in the ledger without a hold": """
        SELECT e.request_id, COUNT(*) FROM usage_ledgerentry e LEFT JOIN usage_reservation r ON r.request_id = e.request_id
        WHERE r.id IS NULL GROUP BY e.request_id""",
    "hold {0}: takes from {1} counters, has {2} lines": """
        SELECT r.request_id, r.lines, COUNT(l.id) FROM usage_reservation r
        LEFT JOIN usage_reservationline l ON l.reservation_id = r.id
        GROUP BY r.request_id, r.lines HAVING r.lines <> COUNT(l.id)""",
    "counters {0} and {1} are of the same limit and subject and overlap": """
        SELECT a.id, b.id FROM usage_quotaperiod a JOIN usage_quotaperiod b
        ON b.quota_id = a.quota_id AND b.subject = a.subject AND b.starts_at > a.starts_at AND b.starts_at < a.ends_at""",
}  # what is said of a row: the statement that finds such rows


def drifts() -> Iterator[str]:
    """Each drift in a sentence. Each statement sees one moment by itself, so work going on is no drift, and nobody waits."""
    for sentence, statement in CHECKS.items():
        for row in fetch(statement.replace("{counted}", _COUNTED).replace("{unknown}", _UNKNOWN)):
            yield sentence.format(*row)
    yield from month_closing.drifts()


def counted() -> tuple[int, int, int]:
    """How many entries, counters and open holds there are: what a proof without findings has looked at."""
    (row,) = fetch(
        "SELECT (SELECT COUNT(*) FROM usage_ledgerentry), (SELECT COUNT(*) FROM usage_quotaperiod),"
        " (SELECT COUNT(*) FROM usage_reservation WHERE state = 'held')"
    )
    return row[0], row[1], row[2]
