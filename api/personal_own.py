"""What this room knows of one person: the answers that are kept for a day so that a repeat is a repeat. Counted and erased."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.personal import Part
from accounts.personal import register as register_part
from accounts.personal_own import deleting
from api.models import StoredAnswer


def register() -> None:
    """Called in AppConfig.ready."""
    register_part(Part("repeats", _("Answers kept for a day for repeated calls"), *deleting(_stored)))


def _stored(person: User) -> QuerySet[StoredAnswer]:
    return StoredAnswer.objects.filter(user=person)
