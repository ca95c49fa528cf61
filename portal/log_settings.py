"""What a line of the log looks like, for web and worker: plain, or JSON with one object a line. Decides nothing about what is said.

Every line carries the ids that are bound where it was written (accounts.log_ids): the request, the person, the answer. Only these: a
record's own extra fields are left out, because nobody has looked at them.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

IDS = ("request_id", "person", "generation")
"""In the order in which a plain line names them."""


def make(*, level: str, form: str) -> dict[str, Any]:
    """The `LOGGING` setting."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"portal.log_settings.{'json_lines' if form == 'json' else 'plain_lines'}"}},
        "filters": {
            "seldom": {"()": "portal.log_lines.Seldom"},
            "no_links": {"()": "portal.log_lines.NoLinks"},
            "brief": {"()": "portal.log_lines.Brief"},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["no_links", "seldom"]}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.request": {"filters": ["brief", "no_links"]},
            "django.security.csrf": {"filters": ["no_links"]},
            "django.security.DisallowedHost": {"handlers": [], "propagate": False},
            "axes": {"level": "WARNING"},
            "aiohttp": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "openai": {"level": "WARNING"},
        },
    }


class PlainLines(logging.Formatter):
    """As `2026-11-30 12:00:00,000 INFO chat.engine words request_id=… person=…`."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line before its traceback, so that a line with one has its ids at its own end."""
        ids = structlog.contextvars.get_contextvars()
        told = "".join(f" {name}={ids[name]}" for name in IDS if name in ids)
        return super().formatMessage(record) + told


def plain_lines() -> logging.Formatter:
    """For people and for `grep`."""
    return PlainLines("%(asctime)s %(levelname)s %(name)s %(message)s")


def json_lines() -> logging.Formatter:
    """For machines that gather logs."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            as_json,
        ],
    )


def as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """One line; whatever JSON does not know is written as text."""
    return orjson.dumps(event, default=str).decode()
