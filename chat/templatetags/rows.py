"""The rows of the side list: forty on every page of the chat, so they are put together here and not by forty rounds of a template."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django import template
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from chat.models import Conversation
from chat.queries import microseconds
from chat.templatetags.icons import icon

register = template.Library()

ROW = (
    '<li><a class="row" href="{chat}" data-id="{uuid}" data-version="{version}" data-at="{at}" title="{title} · {when}"'
    '{marks}><span>{title}</span>{dot}</a><a class="icon act" href="{organise}" aria-label="{act}">{more}</a></li>\n'
)
_NOBODY = UUID(int=0)


@register.simple_tag
def rows(conversations: Iterable[Conversation], opened: Conversation | None = None) -> SafeString:
    """One `<li>` each, in the order given; `opened` is the one on the page. Each has `.running` and `.unseen`."""
    chat, organise = (reverse(name, args=[_NOBODY]) for name in ("chat:conversation", "chat:organise"))
    act, untitled, more = escape(_("Rename or delete “%(title)s”")), escape(_("New chat")), icon("more")
    here = opened.pk if opened else None
    found = []
    for each in conversations:
        uuid, title = str(each.uuid), escape(each.title) if each.title else untitled
        found.append(
            ROW.format(
                chat=chat.replace(str(_NOBODY), uuid),
                uuid=uuid,
                version=each.version,
                at=microseconds(each.updated_at),
                title=title,
                when=escape(formats.date_format(timezone.localtime(each.updated_at), "DATETIME_FORMAT")),
                marks=_marks(each, here=each.pk == here),
                dot=_dot(each),
                organise=organise.replace(str(_NOBODY), uuid),
                act=act % {"title": title},
                more=more,
            )
        )
    return mark_safe("".join(found))  # every part is escaped above


def _marks(row: Conversation, *, here: bool) -> str:
    pending = " data-untitled" if row.title_state == Conversation.TitleState.PENDING else ""
    return pending + (' aria-current="page"' if here else "")


def _dot(row: Conversation) -> str:
    if getattr(row, "running", False):
        return f'<i class="run" role="img" aria-label="{escape(_("being answered"))}"></i>'
    return f'<i class="new" role="img" aria-label="{escape(_("new answer"))}"></i>' if row.unseen else ""
