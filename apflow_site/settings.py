"""The one settings module; everything that differs between machines comes from the environment (docs/settings.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from apflow_site.databases import MIN_POOL, VARIABLE, database
from apflow_site.env import (
    env_bool,
    env_choice,
    env_failpoints,
    env_float,
    env_int,
    env_limits,
    env_list,
    env_pairs,
    env_str,
)
from apflow_site.secret import secret_key, secret_keys

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env_str("APFLOW_DATA_DIR", str(BASE_DIR / "var"))).resolve()

PRODUCTION = env_bool("APFLOW_PRODUCTION")
DEBUG = env_bool("APFLOW_DEBUG")
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("APFLOW_DEBUG=1 is not allowed with APFLOW_PRODUCTION=1: unset one of them")
FAILPOINTS = env_failpoints("APFLOW_FAILPOINTS")  # tests make this process die or fail on purpose: docs/faults.md
if PRODUCTION and FAILPOINTS:
    raise ImproperlyConfigured("APFLOW_FAILPOINTS is not allowed with APFLOW_PRODUCTION=1: unset one of them")

SECRET_KEY = secret_key(DATA_DIR, production=PRODUCTION)
SECRET_KEYS = secret_keys()  # of the secrets that tasks use; none: a file of the data directory
ALLOWED_HOSTS = env_list("APFLOW_ALLOWED_HOSTS", () if PRODUCTION else ("localhost", "127.0.0.1", "[::1]"))
if PRODUCTION and (not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS):
    raise ImproperlyConfigured("APFLOW_ALLOWED_HOSTS: name the hosts that the dashboard is served under (no '*')")
CSRF_TRUSTED_ORIGINS = env_list("APFLOW_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "dashboard",
    "orchestration",
    "apflow_site.apps.DaphneConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "examples.etl",
    *env_list("APFLOW_APPS"),
]

MIDDLEWARE = [
    "apflow_site.logs.RequestIdMiddleware",
    "apflow_site.auditing.AuditMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "apflow_site.static.StaticFilesMiddleware",
    "apflow_site.static.LargePagesMiddleware",
    "dashboard.middleware.BodyLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apflow_site.sessions.SessionLifeMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "dashboard.zones.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "dashboard.middleware.RefusalMiddleware",
    "dashboard.middleware.NoStoreMiddleware",
]

ROOT_URLCONF = "apflow_site.urls"
ASGI_APPLICATION = "apflow_site.asgi.application"

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
                "dashboard.contexts.staff.staff_sees",
            ],
        },
    }
]

# synchronous: FULL survives a power cut, NORMAL only a crash of the process; see docs/settings.md
SQLITE_SYNCHRONOUS = env_str("APFLOW_SQLITE_SYNCHRONOUS", "FULL").upper()
if SQLITE_SYNCHRONOUS not in {"FULL", "NORMAL"}:
    raise ImproperlyConfigured("APFLOW_SQLITE_SYNCHRONOUS: write FULL or NORMAL")
DATABASE_POOL = env_int("APFLOW_DATABASE_POOL", 20)
if 0 < DATABASE_POOL < MIN_POOL:
    raise ImproperlyConfigured(f"APFLOW_DATABASE_POOL: write 0 for no pool, or at least {MIN_POOL}")
DATABASES = {"default": database(env_str(VARIABLE), DATA_DIR, pool=DATABASE_POOL, synchronous=SQLITE_SYNCHRONOUS)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    INSTALLED_APPS.insert(0, "procrastinate.contrib.django")  # before ours: our admin takes its pages away

# Nudges only: without Redis, processes look into the event table themselves.
REDIS_URL = env_str("REDIS_URL")
CHANNEL_LAYERS: dict[str, Any] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_connect_timeout": 2, "socket_timeout": 5}]},
        }
    }

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["orchestration.auth_backends.ThrottledBackend"]
CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = env_str("APFLOW_TIME_ZONE", "UTC")
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env_str("APFLOW_STATIC_ROOT") or None  # only for `collectstatic`: `up` serves straight from static/
WHITENOISE_USE_FINDERS = True
WHITENOISE_MANIFEST_STRICT = False

SMTP_HOST = env_str("APFLOW_EMAIL_HOST", "localhost" if PRODUCTION else "")
CONSOLE = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
SMTP = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": SMTP_HOST,
            "port": env_int("APFLOW_EMAIL_PORT", 25),
            "username": env_str("APFLOW_EMAIL_USER"),
            "password": env_str("APFLOW_EMAIL_PASSWORD"),
            "use_tls": env_bool("APFLOW_EMAIL_TLS"),
            "timeout": env_int("APFLOW_EMAIL_TIMEOUT_S", 30),
        },
    }
}
MAILERS = SMTP if SMTP_HOST else CONSOLE
DEFAULT_FROM_EMAIL = env_str("APFLOW_EMAIL_FROM", "apflow@localhost")

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_SOCKET_BYTES = 64 * 1024  # of one message of a client
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
FILE_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES

# Safe by default behind TLS; on plain loopback HTTP the secure flags would lock everybody out.
HTTPS = env_bool("APFLOW_HTTPS", default=PRODUCTION)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-apflow_session" if HTTPS else "apflow_session"
CSRF_COOKIE_NAME = "__Host-apflow_csrf" if HTTPS else "apflow_csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_LIFE = 7 * 24 * 3600  # since the sign-in, see apflow_site/sessions.py
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # probes come over plain HTTP, past the proxy
SECURE_HSTS_SECONDS = env_int("APFLOW_HSTS_SECONDS", 31536000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
BEHIND_PROXY = env_bool("APFLOW_BEHIND_PROXY")
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}

API_WRITES_PER_MINUTE = env_int("APFLOW_API_WRITES_PER_MINUTE", 600, minimum=1)  # per user
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "orchestration.api.authentication.TokenAuthentication",  # first: its challenge makes a 401 of a missing login
        "orchestration.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["orchestration.api.authentication.InScope"],
    "DEFAULT_PARSER_CLASSES": ["orchestration.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "orchestration.api.schema.Schema",
    "EXCEPTION_HANDLER": "orchestration.api.errors.error_response",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is a filter like any other
}
SPECTACULAR_SETTINGS = {
    "TITLE": "apflow",
    "DESCRIPTION": "Trees of tasks: build, run, watch, cancel, re-execute. The guide is docs/api.md.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "DEFAULT_GENERATOR_CLASS": "orchestration.api.schema.Generator",
    "SERVE_PERMISSIONS": ["orchestration.api.authentication.InScope"],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "Status": "orchestration.api.shapes.STATUSES",
        "RunStatus": "orchestration.api.shapes.ENDS",
        "Mode": "orchestration.api.shapes.MODES",
        "BulkMode": "orchestration.api.bodies.BULK_MODES",
        "ListKind": "orchestration.api.personal_shapes.KINDS",
        "OperationAction": "orchestration.api.personal_shapes.DEEDS",
        "OperationState": "orchestration.api.personal_shapes.STATES",
        "DeliveryState": "orchestration.api.webhook_shapes.DELIVERY_STATES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "orchestration.api.schema.finish",
    ],
}

# Engine and limits; orchestration/conf.py gives the typed view with the meaning and unit of each.
ORCHESTRATION: dict[str, Any] = {
    "process_slots": env_int("APFLOW_PROCESS_SLOTS", 2 * (os.cpu_count() or 1), minimum=1),
    "async_slots": env_int("APFLOW_ASYNC_SLOTS", 100, minimum=1),
    "lease_s": env_float("APFLOW_LEASE_S", 15.0, minimum=0.2),
    "heartbeat_s": env_float("APFLOW_HEARTBEAT_S", 5.0, minimum=0.05),
    "sweep_s": env_float("APFLOW_SWEEP_S", 5.0, minimum=0.05),
    "grace_s": env_float("APFLOW_GRACE_S", 5.0, minimum=0.05),
    "shutdown_s": env_float("APFLOW_SHUTDOWN_S", 30.0),
    "recovery_limit": env_int("APFLOW_RECOVERY_LIMIT", 3),
    "executor_limits": env_limits("APFLOW_EXECUTOR_LIMITS"),
    "queues": env_pairs("APFLOW_QUEUES"),
    "dispatch": env_choice("APFLOW_DISPATCH", ("here", "workers")),
    "ageing_s": env_float("APFLOW_AGEING_S", 0.0),
    "default_timeout_s": env_float("APFLOW_DEFAULT_TIMEOUT_S", 0.0),
    "webhook_timeout_s": env_float("APFLOW_WEBHOOK_TIMEOUT_S", 10.0, minimum=0.1),
    "webhook_failures": env_int("APFLOW_WEBHOOK_FAILURES", 10, minimum=1),
    "max_trees": env_int("APFLOW_MAX_TREES", 100_000, minimum=1),
    "max_active_runs": env_int("APFLOW_MAX_ACTIVE_RUNS", 1_000, minimum=1),
    "http_allow": env_list("APFLOW_HTTP_ALLOW"),
    "http_own": [],  # `up` knows it
    "http_ports": env_list("APFLOW_HTTP_PORTS", ("80", "443", "8000", "8080", "8443")),
    "command_enabled": env_bool("APFLOW_COMMAND_ENABLED"),
    "command_allow": env_list("APFLOW_COMMAND_ALLOW"),
    "command_cpu_s": env_int("APFLOW_COMMAND_CPU_S", 3600),
    "command_memory_mb": env_int("APFLOW_COMMAND_MEMORY_MB", 4096),
    "command_files": env_int("APFLOW_COMMAND_FILES", 1024),
    "command_processes": env_int("APFLOW_COMMAND_PROCESSES", 0),
}

METRICS_OPEN = env_bool("APFLOW_METRICS")  # /metrics for everybody; else staff or the token
METRICS_TOKEN = env_str("APFLOW_METRICS_TOKEN")
RETENTION_DAYS = env_int("APFLOW_RETENTION_DAYS", 90, minimum=1)  # how old a run gets before `prune` may delete it

LOG_LEVEL = env_str("APFLOW_LOG_LEVEL", "INFO")
LOG_FORMAT = env_str("APFLOW_LOG_FORMAT", "plain").lower()
if LOG_FORMAT not in {"plain", "json"}:
    raise ImproperlyConfigured("APFLOW_LOG_FORMAT: write plain or json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "apflow_site.logs.PlainFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
        "json": {"()": "apflow_site.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "loggers": {
        "apflow": {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False},
        "django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "psycopg": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},  # each of many attempts is a warning
    },
}
