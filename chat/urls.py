"""Addresses of the conversation."""

from __future__ import annotations

from django.urls import path

from chat import actions, organising_views, views

app_name = "chat"
urlpatterns = [
    path("", views.new, name="new"),
    path("list/", views.conversations, name="list"),
    path("token/", views.token, name="token"),
    path("limit/", views.limit, name="limit"),
    path("bin/", organising_views.bin_, name="bin"),
    path("bin/empty/", organising_views.empty, name="empty_bin"),
    path("messages/", actions.send, name="send"),
    path("messages/<uuid:uuid>/", views.message, name="message"),
    path("messages/<uuid:uuid>/source/", views.source, name="source"),
    path("messages/<uuid:uuid>/details/", views.details, name="details"),
    path("messages/<uuid:uuid>/edit/", actions.edit, name="edit"),
    path("messages/<uuid:uuid>/regenerate/", actions.regenerate, name="regenerate"),
    path("messages/<uuid:uuid>/continue/", actions.continue_, name="continue"),
    path("messages/<uuid:uuid>/retry/", actions.retry, name="retry"),
    path("generations/<uuid:uuid>/", views.generation, name="generation"),
    path("generations/<uuid:uuid>/cancel/", actions.cancel, name="cancel"),
    path("<uuid:uuid>/", views.conversation, name="conversation"),
    path("<uuid:uuid>/state/", views.state, name="state"),
    path("<uuid:uuid>/organise/", organising_views.organise, name="organise"),
    path("<uuid:uuid>/rename/", organising_views.rename, name="rename"),
    path("<uuid:uuid>/delete/", organising_views.delete, name="delete"),
    path("<uuid:uuid>/restore/", organising_views.restore, name="restore"),
    path("<uuid:uuid>/delete-for-good/", organising_views.delete_for_good, name="delete_for_good"),
    path("<uuid:uuid>/seen/", organising_views.seen, name="seen"),
]
