"""Registers the room "the conversation"."""

from __future__ import annotations

from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import events
        from chat import cut_off, personal_own

        events.on_cut(cut_off.stop_answers)
        personal_own.register()
