"""Addresses under /api/v1/. All end with a slash; without it there is nothing."""

from __future__ import annotations

from django.urls import URLPattern, path

from api.v1 import ask, auth, bin, conversations, document, generations, keys, me, messages, models, usage

app_name = "v1"
urlpatterns: list[URLPattern] = [
    path("auth/token/", auth.SignIn.as_view(), name="token"),
    path("auth/token/refresh/", auth.Refresh.as_view(), name="token_refresh"),
    path("auth/token/revoke/", auth.Revoke.as_view(), name="token_revoke"),
    path("ask/", ask.Ask.as_view(), name="ask"),
    path("conversations/", conversations.Conversations.as_view(), name="conversations"),
    path("conversations/<uuid:uuid>/", conversations.Conversation.as_view(), name="conversation"),
    path("conversations/<uuid:uuid>/restore/", bin.Restore.as_view(), name="conversation_restore"),
    path("conversations/<uuid:uuid>/seen/", conversations.Seen.as_view(), name="conversation_seen"),
    path("conversations/<uuid:uuid>/messages/", messages.Messages.as_view(), name="messages"),
    path("conversations/<uuid:uuid>/tree/", messages.Tree.as_view(), name="messages_tree"),
    path("bin/", bin.Bin.as_view(), name="bin"),
    path("bin/<uuid:uuid>/", bin.Binned.as_view(), name="binned"),
    path("messages/<uuid:uuid>/", messages.Message.as_view(), name="message"),
    path("messages/<uuid:uuid>/edit/", messages.Edit.as_view(), name="message_edit"),
    path("messages/<uuid:uuid>/regenerate/", messages.Regenerate.as_view(), name="message_regenerate"),
    path("messages/<uuid:uuid>/continue/", messages.Continue.as_view(), name="message_continue"),
    path("messages/<uuid:uuid>/retry/", messages.Retry.as_view(), name="message_retry"),
    path("generations/<uuid:uuid>/", generations.Generation.as_view(), name="generation"),
    path("generations/<uuid:uuid>/cancel/", generations.Cancel.as_view(), name="generation_cancel"),
    path("schema/", document.Schema.as_view(), name="schema"),
    path("models/", models.Models.as_view(), name="models"),
    path("usage/", usage.Usage.as_view(), name="usage"),
    path("quotas/", usage.Quotas.as_view(), name="quotas"),
    path("me/", me.Me.as_view(), name="me"),
    path("keys/", keys.Keys.as_view(), name="keys"),
    path("keys/<uuid:uuid>/", keys.Key.as_view(), name="key"),
    path("keys/<uuid:uuid>/roll/", keys.Roll.as_view(), name="key_roll"),
]
