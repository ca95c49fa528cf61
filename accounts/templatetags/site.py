"""What the organisation tells everybody, for pages: maintenance and announcements. Reads only."""

from __future__ import annotations

from django import template

from accounts import announcements, maintenance
from accounts.models import Announcement, Organisation, User

register = template.Library()


@register.filter
def maintenance_end(organisation: Organisation) -> str:
    """When it will probably be over, on the reader's clock; empty when nobody knows."""
    return maintenance.until(organisation)


@register.simple_tag
def announced(user: User, organisation: Organisation) -> list[Announcement]:
    """`{% announced user organisation as words %}`: what this person has not put away."""
    return announcements.shown_to(user, organisation=organisation)
