"""Addresses under /accounts/: of allauth's pages only those that exist here; the rest is 404."""

from __future__ import annotations

from allauth.account import views as allauth_views
from django.contrib.auth.decorators import login_required
from django.urls import URLPattern, path, re_path

from accounts import views

urlpatterns: list[URLPattern] = [
    path("login/", allauth_views.login, name="account_login"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("signup/", views.registration, name="account_signup"),
    path("password/change/", login_required(allauth_views.password_change), name="account_change_password"),
    path("password/reset/", views.forgotten, name="account_reset_password"),
    path("password/reset/done/", allauth_views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[-0-9A-Za-z]+)/$",
        allauth_views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        allauth_views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
