"""Wrong settings stop the start: each fault has an id and a hint, good values are silent, secrets are not repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage

from portal import checks
from portal.environment import Environment

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD_KEY = "Zk3_9vQx-71mWn0aLrT5uYbE8sHdGfJ2pCoI4"


def found() -> list[str]:
    every = (
        checks.environment,
        checks.secret,
        checks.signing_keys,
        checks.closed_api,
        checks.public_url,
        checks.ranges,
        checks.broker,
        checks.provider,
    )
    messages: list[CheckMessage] = [message for check in every for message in check()]
    assert all(message.hint for message in messages)
    return [str(message.id).removeprefix("portal.") for message in messages]


def test_the_defaults_are_silent() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({"PUBLIC_URL": "https://chat.example.com", "SECRET_KEY": GOOD_KEY}, []),
        ({"PUBLIC_URL": "https://chat.example.com", "SECRET_KEY": "short"}, ["E007"]),
        ({"PUBLIC_URL": "https://chat.example.com", "SECRET_KEY": "a" * 60}, ["E007"]),
        ({"PUBLIC_URL": "https://chat.example.com", "SECRET_KEY": "django-insecure-" + GOOD_KEY}, ["E007"]),
        ({"PUBLIC_URL": "https://chat.example.com", "SECRET_KEY": "Change-me-" + GOOD_KEY}, ["E007"]),
        ({"SECRET_KEY": "short"}, []),
        ({"PUBLIC_URL": "http://192.168.1.5:8000", "SECRET_KEY": GOOD_KEY}, []),
        ({"PUBLIC_URL": "http://chat.example.com", "SECRET_KEY": GOOD_KEY}, ["W001"]),
        ({"CELERY_BROKER_URL": "redis://localhost/0"}, ["W002"]),
        ({"CELERY_BROKER_URL": "sqs://x"}, ["E011"]),
        ({"CELERY_BROKER_URL": ""}, ["E011"]),
        ({"OPENAI_BASE_URL": "https://api.example.com/v1"}, []),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}, []),
        ({"OPENAI_BASE_URL": "api.example.com/v1"}, ["E012"]),
        ({"OPENAI_BASE_URL": "https://api.example.com:99999/v1"}, ["E012"]),
        ({"OPENAI_PROXY": "socks5://127.0.0.1:1080"}, []),
        ({"OPENAI_PROXY": "ftp://x"}, ["E013"]),
        ({"CA_BUNDLE": "/nowhere/ca.pem"}, ["E014"]),
        ({"LEASE_S": 10, "RENEW_S": 5}, ["E010"]),
        ({"FLUSH_S": 0.2}, ["E010"]),
        ({"AXES_FAILURE_LIMIT": 0}, ["E009"]),
        ({"POLL_HOLD_S": 90}, ["E009"]),
        ({"PORT": 0}, ["E009"]),
        ({"JWT_ACCESS_MINUTES": 4}, ["E009"]),
        ({"JWT_ACCESS_MINUTES": 16}, ["E009"]),
        ({"JWT_KEYS": {"a": GOOD_KEY, "b": GOOD_KEY[::-1]}}, []),
        ({"JWT_KEYS": {}}, ["E015"]),
        ({"JWT_KEYS": {"": GOOD_KEY}}, ["E015"]),
        ({"JWT_KEYS": {"a b": GOOD_KEY}}, ["E015"]),
        ({"JWT_KEYS": {"a": GOOD_KEY}, "SECRET_KEY": GOOD_KEY}, ["E016"]),
        ({"JWT_KEYS": {"a": GOOD_KEY}, "SECRET_KEY_FALLBACKS": [GOOD_KEY]}, ["E016"]),
        ({"JWT_KEYS": {"a": GOOD_KEY, "b": GOOD_KEY[:31]}}, ["E017"]),
        ({"JWT_KEYS": {"a": "a" * 64}}, ["E017"]),
        ({"JWT_KEYS": {"a": "change-me-" + GOOD_KEY}}, ["E017"]),
    ],
)
def test_a_setting_is_judged(settings: Any, values: dict[str, object], ids: list[str]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert found() == ids


@pytest.mark.parametrize("name", checks.CLOSED)
def test_an_api_whose_defaults_are_open_does_not_start(settings: Any, name: str) -> None:
    opened = dict(settings.REST_FRAMEWORK)
    del opened[name]
    settings.REST_FRAMEWORK = opened
    assert found() == ["E018"]
    settings.REST_FRAMEWORK = opened | {name: ["rest_framework.permissions.AllowAny"]}
    assert found() == ["E018"]


@pytest.mark.parametrize(
    "url",
    [
        "chat.example.com",
        "ftp://chat.example.com",
        "https://",
        "https://chat.example.com/app",
        "https://chat.example.com?x=1",
        "https://user:pass@chat.example.com",
        "https://a.example,https://b.example",
        "https://chat.example.com:0",
        "https://chat example.com",
        "https://[::1",
    ],
)
def test_a_public_address_is_scheme_and_host(settings: Any, url: str) -> None:
    settings.PUBLIC_URL, settings.SECRET_KEY = url, GOOD_KEY
    assert found() == ["E008"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "8000", 8000),
        ("int", "", 7),
        ("int", "8o", 7),
        ("int", "1.5", 7),
        ("float", "2.5", 2.5),
        ("float", "1e-2", 0.01),
        ("float", "20s", 7),
        ("float", "nan", 7),
        ("float", "inf", 7),
        ("bool", "1", True),
        ("bool", "Off", False),
        ("bool", "maybe", 7),
    ],
)
def test_a_value_is_read_strictly(monkeypatch: pytest.MonkeyPatch, kind: str, text: str, value: object) -> None:
    monkeypatch.setenv("SOME_SETTING", text)
    env = Environment()
    assert getattr(env, kind)("SOME_SETTING", default=7) == value
    assert [fault.name for fault in env.faults.found] == (["SOME_SETTING"] if value == 7 and text else [])


def test_the_start_is_refused_with_every_fault_at_once_and_no_secret(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "OPENAI"))},
        "DATA_DIR": str(tmp_path),
        "IGNORE_DOTENV": "1",
        "PORT": "80o0",
        "SIMULATOR": "perhaps",
        "DEFAULT_LANGUAGE": "klingon",
        "TIME_ZONE": "Mars/Base",
        "DATABASE_URL": "oracle://a:hunter2@b/c",
        "EMAIL_URL": "pigeon://a:hunter2@b",
        "PUBLIC_URL": "https://chat.example.com",
        "SECRET_KEY": "hunter2",
        "LEASE_S": "6",
    }
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    for number in (*range(1, 8), 10):
        assert f"portal.E{number:03}" in done.stderr, done.stderr
    assert "hunter2" not in done.stderr


def test_programs_without_manage_py_can_ask_too(settings: Any) -> None:
    assert checks.faults() == []
    settings.PORT = 0
    (line,) = checks.faults()
    assert line == "PORT=0 is out of range. From 1 to 65535. (portal.E009)"
