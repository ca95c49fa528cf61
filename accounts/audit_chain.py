"""How an event becomes a hash. Pure: asks no database, decides nothing; whoever wants to prove the chain elsewhere needs only this.

Changing anything here breaks every chain that exists: docs/audit.md describes the same in words.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json

from accounts.models import AuditEvent

GENESIS = "0" * 64
"""What stands before the first event."""


def digest(*values: object) -> str:
    """SHA-256 of the values as compact JSON with sorted keys, in ASCII."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def actor_digest(event: AuditEvent) -> str:
    """What stands in the chain for the actor's personal columns."""
    return digest(event.salt, event.actor_name, event.address, event.device)


def target_digest(event: AuditEvent) -> str:
    """What stands in the chain for the target's personal columns."""
    return digest(event.target_salt, event.target_name, event.private)


def event_hash(event: AuditEvent) -> str:
    """The hash of the row and, through `previous`, of everything before it."""
    at = event.at.astimezone(dt.UTC).isoformat(timespec="microseconds")
    # A target without anything personal enters as it stands.
    named = [] if event.target_personal else [event.target_name, event.private]
    return digest(
        event.previous,
        event.number,
        str(event.uuid),
        at,
        event.action,
        event.actor_kind,
        str(event.actor or ""),
        event.target_kind,
        str(event.target or ""),
        str(event.concerns or ""),
        event.changes,
        event.request_id,
        event.personal,
        event.target_personal,
        named,
    )
