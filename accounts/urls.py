"""Addresses under /me/: what a person sets about herself."""

from __future__ import annotations

from django.urls import URLPattern, path

from accounts import audit_views, my_sign_in_views, teams_views, views

app_name = "accounts"
urlpatterns: list[URLPattern] = [
    path("", views.my_settings, name="settings"),
    path("trail/", audit_views.mine, name="trail"),
    path("language/", views.language, name="language"),
    path("house-rules/", views.rules, name="house_rules"),
    path("announcements/<uuid:uuid>/", views.announcement_read, name="announcement_read"),
    path("team/", teams_views.my_team, name="team"),
    path("team/<uuid:uuid>/", teams_views.my_team, name="team_of"),
    path("email/", my_sign_in_views.email, name="email"),
    path("notices/", my_sign_in_views.my_notices, name="notices"),
    path("sign-ins/", my_sign_in_views.sign_ins, name="sign_ins"),
    path("sign-ins/end/", my_sign_in_views.end_all_sign_ins, name="end_all_sign_ins"),
    path("sign-ins/<uuid:number>/end/", my_sign_in_views.end_sign_in, name="end_sign_in"),
]
