"""Every setting of the installation, read from the environment (and `.env`), in sections.

docs/configuration.md explains each. Wrong values stop the start with a hint: see portal/checks.py.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import allauth
import django_stubs_ext
from csp.constants import NONE, SELF

from portal import jwt_keys, log_settings
from portal.api_defaults import REST_FRAMEWORK, SIMPLE_JWT, SPECTACULAR_SETTINGS  # noqa: F401  # of the libraries
from portal.environment import Environment

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()
ENVIRONMENT_FAULTS = env.faults.found  # said by portal/checks.py, which stops the start
if (BASE_DIR / ".env").is_file() and not os.environ.get("IGNORE_DOTENV"):
    env.read_env(str(BASE_DIR / ".env"))

# --- Where things are ------------------------------------------------------------------------------------------------
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "data"))).expanduser().resolve()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
DEBUG = env.bool("DEBUG", default=False)
TESTING = "pytest" in sys.modules


def _kept_secret(name: str, *, make: Callable[[], str] = lambda: secrets.token_urlsafe(50)) -> str:
    """Reads a secret of this installation, made on the first run, mode 0600 (two starts at once: the first wins)."""
    path = DATA_DIR / name
    if not path.exists():
        draft = DATA_DIR / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(make() + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # whole or not at all
        draft.unlink()
    return path.read_text().strip()


SECRET_KEY = env.str("SECRET_KEY", default="") or _kept_secret("secret_key")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Tokens are signed with keys of their own: kid:secret,… of which the first signs and all verify (manage.py rotate_jwt_key).
JWT_KEYS = jwt_keys.read(env.str("JWT_KEYS", default="") or _kept_secret(jwt_keys.FILE, make=jwt_keys.make))

# --- The address: everything follows from PUBLIC_URL -----------------------------------------------------------------
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
PORT = env.int("PORT", default=8000)
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])


def _own_names() -> list[str]:
    """This machine's own names and addresses: what is served over http while PUBLIC_URL is not set."""
    names = {"localhost", "127.0.0.1", "[::1]", "testserver"} if TESTING else {"localhost", "127.0.0.1", "[::1]"}
    host = socket.gethostname()
    names |= {host.lower(), f"{host.lower()}.local"}
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        found = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: nothing is sent, the route names our own address
            found.add(probe.getsockname()[0])
        except OSError:
            pass
    return sorted(names | {f"[{a}]" if ":" in a else a for a in (f.partition("%")[0] for f in found)})


ALLOWED_HOSTS = [urlsplit(PUBLIC_URL).hostname or ""] if PUBLIC_URL else _own_names()
if PUBLIC_URL:  # health checks and the supervisor ask this machine itself
    ALLOWED_HOSTS += ["127.0.0.1", "localhost"]
CSRF_TRUSTED_ORIGINS = [f"{urlsplit(PUBLIC_URL).scheme}://{urlsplit(PUBLIC_URL).netloc}"] if PUBLIC_URL else []
SECURE = PUBLIC_URL.startswith("https://")
PRODUCTION = bool(PUBLIC_URL)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrftoken"
SESSION_ENGINE = "accounts.session_store"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000 if SECURE else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SECURE_SSL_REDIRECT = False  # the proxy in front does it; a redirect here would loop behind one that speaks http to us
# Wanted otherwise, and said so above: other hosts of the domain are not ours to bind, and the proxy redirects.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "portal.views.csrf_failure"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

# --- Sign-in through the company (issuers are rows: /setup/company-sign-in/) ---------------------------------------------
# Further providers of django-allauth, for people who connect them while signed in: name:client id:secret,…
_views = sorted((Path(allauth.__file__).parent / "socialaccount" / "providers").glob("*/views.py"))
_views = (
    [path for path in _views if "oauth2_callback =" in path.read_text()]
    if env.str("SSO_EXTRA_APPS", default="")
    else []
)
SSO_EXTRA_APPS = env.triples("SSO_EXTRA_APPS", of=[path.parent.name for path in _views])
# An issuer on the company's own network is the usual case; off, only public addresses are asked.
SSO_ALLOW_PRIVATE = env.bool("SSO_ALLOW_PRIVATE", default=True)
SOCIALACCOUNT_ADAPTER = "accounts.sso_adapter.CompanyAccounts"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10

# --- Django ----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "portal",
    "accounts",
    "providers",
    "usage",
    "chat",
    "api",
    "accounts.audit_site.AuditedAdministration",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "axes",
    "rest_framework",
    "django_htmx",
    *(f"allauth.socialaccount.providers.{name}" for name, _client, _secret in SSO_EXTRA_APPS),
]
MIDDLEWARE = [
    "portal.middleware.RequestId",
    "portal.middleware.Headers",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.HostPage",
    "api.origins.Origins",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.Person",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.site",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_200_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
HOST = env.str("HOST", default="127.0.0.1")
WEB_THREADS = env.int("WEB_THREADS", default=4)
WEB_QUEUE = env.int("WEB_QUEUE", default=1000)
WEB_DRAIN_S = env.float("WEB_DRAIN_S", default=5)
WEB_PATIENCE_S = env.float("WEB_PATIENCE_S", default=15)
BODY_IDLE_S = env.float("BODY_IDLE_S", default=15)
BODY_GRACE_S = env.float("BODY_GRACE_S", default=60)
READER_STALL_S = env.float("READER_STALL_S", default=60)

# --- Language and time -----------------------------------------------------------------------------------------------
# Not LANGUAGE: that name belongs to gettext and is set on most desktops ("de_DE:de").
LANGUAGE_CODE = env.choice("DEFAULT_LANGUAGE", default="en", of=("en", "zh-hans"))
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "portal.formats"
TIME_ZONE = env.zone("TIME_ZONE", default="UTC")

# --- Static files: hashed and compressed once collected, straight from the folders until then -------------------------
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
_collected = (STATIC_ROOT / "staticfiles.json").is_file() and not DEBUG and not TESTING
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "uploads"},
    },
    "staticfiles": {
        "BACKEND": "portal.staticfiles.HashedStorage"
        if _collected or "collectstatic" in sys.argv
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not _collected
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_ALLOW_ALL_ORIGINS = False  # our files are for our pages

# --- Database --------------------------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'portal.sqlite3'}")
DATABASES: dict[str, dict[str, Any]] = {"default": env.database("DATABASE_URL", url=DATABASE_URL)}
DATABASES["default"]["CONN_MAX_AGE"] = None
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["ENGINE"] = "portal.sqlite3"
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;"
        "PRAGMA journal_size_limit=67108864;PRAGMA temp_store=MEMORY;PRAGMA cache_size=-8000",
    }
elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "options": "-c lock_timeout=5000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=10000",
    }
# A direct address for LISTEN when DATABASE_URL points at a pooler.
LISTEN_URL = env.str("LISTEN_URL", default="")

# --- Sign-in ---------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.backend.PasswordBackend",
]
PASSWORD_HASHERS = ["accounts.hashers.Argon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignIn",
    "change_password": "accounts.forms.ChangePassword",
    "reset_password": "accounts.forms.AskForReset",
    "reset_password_from_key": "accounts.forms.ChooseNew",
    "reauthenticate": "accounts.forms.Confirm",
    "user_token": "accounts.forms.TokenOfReset",
}
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # strangers' addresses get no mail from us
ACCOUNT_RATE_LIMITS: bool = False  # one limiter: axes, with accounts.lockout
MFA_ADAPTER = "accounts.second_factor_adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses are confirmed by invitation, administrator or company
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_TOLERANCE = 1  # clocks of phones
MFA_RATE_LIMITS: bool = False
MFA_FORMS = {
    "authenticate": "accounts.second_factor_forms.SecondStep",
    "reauthenticate": "accounts.second_factor_forms.Confirm",
    "activate_totp": "accounts.second_factor_forms.SetUpApp",
    "add_webauthn": "accounts.passkey_forms.AddPasskey",
    "edit_webauthn": "accounts.passkey_forms.Rename",
    "authenticate_webauthn": "accounts.passkey_forms.SecondStep",
    "reauthenticate_webauthn": "accounts.passkey_forms.Confirm",
    "login_webauthn": "accounts.passkey_forms.SignIn",
}
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
ALLAUTH_TRUSTED_PROXY_COUNT = 0  # REMOTE_ADDR is already the client's: the server resolves trusted proxies
AXES_FAILURE_LIMIT = env.int("SIGN_IN_TRIES", default=10)
AXES_HANDLER = "accounts.lockout.Handler"
AXES_USERNAME_FORM_FIELD = "login"
AXES_USERNAME_CALLABLE = "accounts.lockout.username"
AXES_CLIENT_IP_CALLABLE = "accounts.lockout.address"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.response"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.mail("EMAIL_URL", url=EMAIL_URL))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="chat@localhost")

# --- Programs: tokens, keys and the API: everything is closed unless a view opens it -----------------------------------
JWT_ACCESS_MINUTES = env.int("JWT_ACCESS_MINUTES", default=10)
JWT_IDLE_DAYS = env.int("JWT_IDLE_DAYS", default=7)
JWT_SESSION_DAYS = env.int("JWT_SESSION_DAYS", default=30)
# The issuer is this installation's address: a copy of it elsewhere (a trial, a restored backup) believes no token of ours.
JWT_ISSUER = PUBLIC_URL or "http://localhost"
API_PER_MINUTE = env.int("API_PER_MINUTE", default=600)
API_KEY_PER_MINUTE = env.int("API_KEY_PER_MINUTE", default=300)
API_DOOR_PER_MINUTE = env.int("API_DOOR_PER_MINUTE", default=120)
API_ORIGINS = env.list("API_ORIGINS", default=[])  # other sites whose pages may call it; never with cookies

# --- The provider from the environment --------------------------------------------------------------------------------
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="")
OPENAI_MODELS = env.list("OPENAI_MODELS", default=[])
OPENAI_PROXY = env.str("OPENAI_PROXY", default="")
CA_BUNDLE = env.str("CA_BUNDLE", default="")
SIMULATOR = env.bool("SIMULATOR", default=False)
SIMULATOR_URL = env.str("SIMULATOR_URL", default="")
# Addresses of providers entered in the browser may be private ones (a model on the own network).
ALLOW_PRIVATE_PROVIDERS = env.bool("ALLOW_PRIVATE_PROVIDERS", default=True)

# --- The queue: the broker only rings the bell ------------------------------------------------------------------------
BROKER_DIR = DATA_DIR / "broker"
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="embedded://localhost")
CELERY_QUEUE = env.str("CELERY_QUEUE", default="portal")  # its own for each installation that shares a broker

# --- The engine: all times in seconds ---------------------------------------------------------------------------------
ENGINE_PLACES = env.int("ENGINE_PLACES", default=400)
PERSON_CONCURRENCY = env.int("PERSON_CONCURRENCY", default=4)
LEASE_S = env.float("LEASE_S", default=20)
RENEW_S = env.float("RENEW_S", default=5)
LEASE_GRACE_S = env.float("LEASE_GRACE_S", default=2)
LOOK_S = env.float("LOOK_S", default=1)
# Off only in the drills' negative control: then a lost bell is a lost answer.
ENGINE_LOOKS = env.bool("ENGINE_LOOKS", default=True)
# Off only in the drills' negative control: then a worker that wakes late writes over its successor.
ENGINE_FENCE = env.bool("ENGINE_FENCE", default=True)
REAP_S = env.float("REAP_S", default=5)
CONNECT_S = env.float("CONNECT_S", default=5)
FIRST_BYTE_S = env.float("FIRST_BYTE_S", default=60)
GAP_S = env.float("GAP_S", default=30)
DEADLINE_S = env.float("DEADLINE_S", default=600)
RETRY_SCALE = env.float("RETRY_SCALE", default=1)
# A provider's circuit stays open so long the first time; each further opening doubles it.
CIRCUIT_PAUSE_S = env.float("CIRCUIT_PAUSE_S", default=15)
DRAIN_S = env.float("DRAIN_S", default=30)
FLUSH_S = env.float("FLUSH_S", default=0.025)
FLUSH_MAX_S = env.float("FLUSH_MAX_S", default=0.12)
WORKER_SILENT_S = env.float("WORKER_SILENT_S", default=30)
TITLES = env.bool("TITLES", default=True)

# --- The live answer --------------------------------------------------------------------------------------------------
POLL_HOLD_S = env.float("POLL_HOLD_S", default=25)
TICKET_S = env.float("TICKET_S", default=900)
RENDER_EVERY_S = env.float("RENDER_EVERY_S", default=0.25)

# --- Limits on what comes in ------------------------------------------------------------------------------------------
MAX_QUESTION_CHARS = env.int("MAX_QUESTION_CHARS", default=200_000)
FIRST_LIMITS = env.choice("FIRST_LIMITS", default="", of=("", "none"))  # of a fresh portal: usage.rules.FIRST

# Of /v1/: the largest request, and whether pictures may be links, which the provider then fetches from wherever they lead.
GATEWAY_BODY_MB = env.int("GATEWAY_BODY_MB", default=20)
GATEWAY_REMOTE_IMAGES = env.bool("GATEWAY_REMOTE_IMAGES", default=False)

# --- What is kept ------------------------------------------------------------------------------------------------------
# Deleted conversations rest so many days in the bin.
BIN_DAYS = env.int("BIN_DAYS", default=30)

# --- Logs ------------------------------------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.choice("LOG_FORMAT", default="plain", of=("plain", "json"))
# --- For monitors: without both there is no /metrics ---------------------------------------------------------------------
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_ADDRESSES = env.list("METRICS_ADDRESSES", default=[])
LOGGING = log_settings.make(level=LOG_LEVEL, form=LOG_FORMAT)
