"""The few line icons of the page, as paths. Knows no colours and no sizes: those are the stylesheet's."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

PATHS = {
    "again": "M4 12a8 8 0 1 1 2.5 5.8M4 20v-4h4",
    "copy": "M9 9h10v11H9zM5 15V4h10",
    "back": "M19 12H5M11 6l-6 6 6 6",
    "bin": "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
    "close": "M6 6l12 12M18 6L6 18",
    "continue": "M5 12h13M13 7l5 5-5 5",
    "keys": "M3 7h18v10H3zM7 10.5h.01M11 10.5h.01M15 10.5h.01M8 14h8",
    "use": "M4 20V10M10 20V4M16 20v-7M21 20H3",
    "down": "M12 5v13M6 12l6 6 6-6",
    "edit": "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
    "fold": "M9 6l6 6-6 6",
    "info": "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5M12 8v.01",
    "limit": "M4 20V10M10 20V4M16 20v-7M21 20H3",
    "menu": "M4 7h16M4 12h16M4 17h10",
    "more": "M5 12h.01M12 12h.01M19 12h.01",
    "new": "M12 5v14M5 12h14",
    "pick": "M6 9l6 6 6-6",
    "send": "M12 19V6M6 11l6-6 6 6",
    "stop": "M7 7h10v10H7z",
    "warn": "M12 8v5M12 16.5h.01M10.3 4.3L2.6 18a2 2 0 0 0 1.7 3h15.4a2 2 0 0 0 1.7-3L13.7 4.3a2 2 0 0 0-3.4 0z",
}
BY_LEVEL = {"cut": "stop", "half": "warn", "bad": "warn", "warn": "limit", "wait": "info"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """The icon's SVG; it says nothing by itself: words or an `aria-label` stand beside it."""
    return format_html(
        '<svg class="i i-{}" viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>', name, PATHS[name]
    )


@register.simple_tag
def icon_of_note(level: str) -> SafeString:
    """The icon of a note of this level."""
    return icon(BY_LEVEL.get(level, "info"))
