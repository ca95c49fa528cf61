"""The organisation's house rules: which text a person has agreed to and when, and whether it is still the present one.

Decides nothing: chat asks before the first message of the page after they change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from accounts import audit
from accounts.models import Organisation, RulesAgreement, RulesVersion, User


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
            keep_version(organisation)  # also of a text that was changed in the plain administration
            note(user, digest=shown)
            audit.record(
                "person.rules_read", actor=user, request=request, target=user, changes={"rules": (None, shown)}
            )
    return True


def note(user: User, *, digest: str) -> None:
    """That this person agreed to the text with this digest, now. Harmless when repeated, and for "" nothing is noted."""
    if digest:
        RulesAgreement.objects.bulk_create([RulesAgreement(user=user, digest=digest)], ignore_conflicts=True)


def keep_version(organisation: Organisation) -> None:
    """The text that stands now is kept: agreements name it by its digest."""
    rules = present(organisation)
    if rules is not None:
        RulesVersion.objects.get_or_create(digest=rules.digest, defaults={"text": rules.text})


def versions() -> Sequence[RulesVersion]:
    """The texts that stood here, the newest first, each with how many agreed to it (`agreed`). At most 50."""
    found = list(RulesVersion.objects.all()[:50])
    agreed = RulesAgreement.objects.filter(digest__in=[each.digest for each in found])
    counts = dict(agreed.values_list("digest").annotate(n=Count("pk")))
    for each in found:
        each.agreed = counts.get(each.digest, 0)  # type: ignore[attr-defined]  # what the template reads
    return found


def _asked() -> QuerySet[User]:
    """Who is asked at all."""
    return User.objects.filter(is_active=True, is_service=False)


def counts(organisation: Organisation) -> tuple[int, int]:
    """(how many have agreed to the present text, how many are asked)."""
    rules = present(organisation)
    return (_asked().filter(house_rules_read=rules.digest).count() if rules else 0), _asked().count()


def people(organisation: Organisation, *, agreed: bool) -> QuerySet[User]:
    """Those who have agreed to the present text, each with the moment (`agreed_at`; None: before it was kept); or the others."""
    rules = present(organisation)
    digest = rules.digest if rules else ""
    if not agreed:
        return _asked().exclude(house_rules_read=digest).order_by("name", "email")
    mine = RulesAgreement.objects.filter(user=OuterRef("pk"), digest=digest).values("at")[:1]
    found = _asked().filter(house_rules_read=digest) if digest else User.objects.none()
    return found.annotate(agreed_at=Subquery(mine)).order_by("-agreed_at", "name", "email")
