"""The organisation's house rules: which text a person has agreed to, and whether it is still the present one.

Decides nothing: chat asks before the first message of the page after they change.
"""

from __future__ import annotations

import hashlib

from accounts.models import Organisation, User


def digest(organisation: Organisation) -> str:
    """SHA-256 of the present rules without their outer spacing; empty while there are none."""
    text = organisation.house_rules.strip()
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def to_read(user: User, *, organisation: Organisation) -> str:
    """The rules that this person has not agreed to yet; empty when there is nothing to read."""
    present = digest(organisation)
    if not present or user.is_service or user.house_rules_read == present:
        return ""
    return organisation.house_rules.strip()


def agree(user: User, *, shown: str, organisation: Organisation) -> bool:
    """Notes that the person agreed to the rules whose digest she was shown; False when they have changed since."""
    present = digest(organisation)
    if shown != present:
        return False
    User.objects.filter(pk=user.pk).update(house_rules_read=present)
    user.house_rules_read = present
    return True
