"""How REST framework and simplejwt behave here: closed, unless a view opens itself. Nothing of it is an installation's choice.

portal/checks.py stops the start when one of these is open.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

# accounts/token_format.py has keys, lifetimes and audiences of its own; simplejwt's own classes can sign nothing here.
SIMPLE_JWT: dict[str, Any] = {"SIGNING_KEY": None, "ALGORITHM": "HS256", "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15)}
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["api.credentials.Credentials"],
    "DEFAULT_PERMISSION_CLASSES": ["api.permissions.Scoped"],
    "DEFAULT_THROTTLE_CLASSES": ["api.throttling.Paced"],
    "DEFAULT_PARSER_CLASSES": ["api.formats.StrictJson"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.formats.OnlyJson",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PAGINATION_CLASS": "api.pagination.Pages",
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "DEFAULT_VERSION": "v1",
    "ALLOWED_VERSIONS": ["v1"],
    "DEFAULT_SCHEMA_CLASS": "api.openapi.Described",  # loaded only when the document is asked for
    "EXCEPTION_HANDLER": "api.errors.handle",
    "PAGE_SIZE": 50,
    "NUM_PROXIES": 0,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Chat",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}
