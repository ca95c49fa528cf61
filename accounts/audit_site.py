"""Django's plain administration with the audit trail under every table; stands in INSTALLED_APPS in its place."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class AuditedAdministration(AdminConfig):
    default_site = "accounts.audit_admin.AuditedSite"
