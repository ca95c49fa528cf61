"""The organisation's house rules: which text a person has agreed to, and whether it is still the present one.

Decides nothing: chat asks before the first message of the page after they change.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest

from accounts import audit
from accounts.models import Organisation, User


@dataclass(frozen=True, slots=True)
class Rules:
    """The present rules, and what tells them from another text."""

    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text: what is kept of an agreement."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def present(organisation: Organisation) -> Rules | None:
    """The rules as they stand, without outer spacing; None while there are none."""
    text = organisation.house_rules.strip()
    return Rules(text) if text else None


def to_read(user: User, *, organisation: Organisation) -> Rules | None:
    """The rules that this person has not agreed to yet; None when there is nothing to read. Programs read nothing."""
    rules = present(organisation)
    if rules is None or user.is_service or user.house_rules_read == rules.digest:
        return None
    return rules


def agreement(organisation: Organisation, *, agrees: bool, shown: str) -> str:
    """What to keep of somebody who comes in: the digest, if she agreed to the very text that stands now; else empty."""
    rules = present(organisation)
    return rules.digest if rules and agrees and shown == rules.digest else ""


def agree(user: User, *, shown: str, organisation: Organisation, request: HttpRequest) -> bool:
    """Notes that the person agreed to the rules whose digest she was shown; False when they have changed since."""
    rules = present(organisation)
    if rules is None or shown != rules.digest:
        return False
    with transaction.atomic():
        if User.objects.filter(pk=user.pk).exclude(house_rules_read=shown).update(house_rules_read=shown):
            audit.record(
                "person.rules_read", actor=user, request=request, target=user, changes={"rules": (None, shown)}
            )
    return True
