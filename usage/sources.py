"""Through which doors calls come. A word each; nothing else."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Source(models.TextChoices):
    """Which door a call came through."""

    PAGE = "page", _("page")
    TITLE = "title", _("title")
    API = "api", _("API")
    GATEWAY = "gateway", _("gateway")
    BOT = "bot", _("bot")
