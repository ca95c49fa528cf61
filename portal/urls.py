"""Where every address leads."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts import brand_views, sso_urls
from chat import live_view, look, privacy_urls
from portal import alert_urls, desk, health, metrics, month_urls, months, setup, views
from usage import call_urls

urlpatterns = [
    path("", views.home, name="home"),
    path("chat/", include("chat.urls")),
    # Only where the ASGI side does not answer it (runserver): see portal.asgi.
    path("live/<str:generation>", live_view.poll),
    # Every state of an answer and of the composer; 404 without DEBUG.
    path("look/", look.states, name="look"),
    path("accounts/", include("accounts.sign_in_urls")),
    path("accounts/", include(sso_urls.door)),
    path("me/", include((sso_urls.mine, "company"))),
    path("me/keys/", include("accounts.api_keys_urls")),
    path("me/usage/", include("usage.mine_urls")),
    path("me/team/<uuid:team>/calls/", include((call_urls.team, "team_calls"))),
    path("me/team/<uuid:uuid>/desk/", desk.team_desk, name="team_desk"),
    path("me/team/<uuid:uuid>/desk/<slug:what>.csv", desk.team_export, name="team_desk_export"),
    path("me/team/<uuid:uuid>/months/", months.team_overview, name="team_months"),
    path("me/team/<uuid:uuid>/months/<slug:month>/", months.team_month, name="team_month"),
    path("me/team/<uuid:uuid>/months/<slug:month>/<slug:what>.csv", months.team_export, name="team_month_export"),
    path("me/privacy/", include(privacy_urls.mine)),
    path("me/", include("accounts.urls")),
    path("setup/", setup.overview, name="setup"),
    path("setup/desk/", desk.desk, name="desk"),
    path("setup/desk/<slug:what>.csv", desk.export, name="desk_export"),
    path("setup/months/", include(month_urls)),
    path("setup/put-away/", setup.put_away, name="setup_put_away"),
    path("setup/models/", include("providers.urls")),
    path("setup/prices/", include("usage.price_urls")),
    path("setup/limits/", include("usage.limit_urls")),
    path("setup/alerts/", include(alert_urls)),
    path("setup/calls/", include((call_urls.staff, "calls"))),
    path("setup/openings/", include("chat.opened_urls")),
    path("setup/privacy/", include(privacy_urls.setup)),
    path("setup/", include((sso_urls.setup, "setup_company"))),
    path("setup/keys/", include("accounts.api_keys_setup_urls")),
    path("setup/", include("accounts.setup_urls")),
    path("brand/<str:name>.css", brand_views.sheet, name="brand_sheet"),
    path("brand/<str:digest>.png", brand_views.logo, name="brand_logo"),
    path("api/", include("api.urls")),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
    # One door and one form for passwords, for administrators too.
    path("admin/login/", views.admin_door),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
]
handler400 = "portal.views.bad_request"
handler403 = "portal.views.forbidden"
handler404 = "portal.views.not_found"
handler500 = "portal.views.server_error"
