"""The house's shape, measured on this checkout; and each rule is shown one planted violation that it must find."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import Fault, Late, find

ROOT = Path(__file__).resolve().parent.parent

LATE: tuple[Late, ...] = (
    Late("providers/client_transport.py", "aiohttp_socks", "optional: only for a socks5 proxy"),
    Late("providers/calls.py", "providers", "heavy: openai, in a web process only once somebody tests a provider"),
    Late("api/v1/document.py", "api", "heavy: drf-spectacular, only once somebody asks for the document"),
    Late("providers/catalogue.py", "genai_prices.data_snapshot", "heavy: a price list, read when models are listed"),
)
"""Imports inside functions that are agreed to: (file, module, reason). `AppConfig.ready` needs no entry."""

WEB = """
import sys
import portal.asgi
from django.urls import get_resolver
get_resolver().url_patterns
{planted}
print("\\n".join(sorted(m for m in sys.modules if m.split(".")[0] == "openai" or m == "chat.engine")))
"""


def test_this_checkout_keeps_the_shape_of_the_house() -> None:
    assert "\n".join(map(str, find(ROOT, late=LATE))) == ""


def nested(levels: int) -> str:
    lines = ["def deep():"] + ["    " * (level + 1) + "if True:" for level in range(levels)]
    return "\n".join([*lines, "    " * (levels + 1) + "return 1", ""])


PLANTED = {
    "an arrow to the right": ("arrow", "accounts/views.py", "import chat.models\n"),
    "an arrow by a relative import": ("arrow", "accounts/views.py", "from ..portal import urls\n"),
    "an arrow by a dynamic import": ("arrow", "usage/views.py", "import_module('api.v1')\n"),
    "an arrow inside a type-checking block": ("arrow", "usage/views.py", "if 1:\n    import chat.models\n"),
    "a product that imports its tests": ("arrow", "chat/views.py", "import tests.conftest\n"),
    "openai outside the client": ("openai", "chat/engine.py", "from openai import AsyncOpenAI\n"),
    "a file of 401 lines": ("file size", "chat/live.py", "x = 1\n" * 400),
    "a script of 401 lines": ("file size", "static/js/chat.js", "x();\n" * 401),
    "a function of 61 lines": ("function size", "chat/live.py", "def long():\n" + "    x = 1\n" * 60),
    "five levels of nesting": ("nesting", "chat/live.py", nested(5)),
    "a late import": ("late import", "chat/live.py", "def now():\n    import zoneinfo\n"),
    "a late dynamic import": ("late import", "chat/live.py", "def now():\n    importlib.import_module('json')\n"),
    "a drawer for everything": ("file name", "chat/utils.py", "x = 1\n"),
    "a package for everything": ("file name", "chat/common/words.py", "x = 1\n"),
    "a print": ("print", "chat/live.py", "print('here')\n"),
    "a type ignore without a reason": ("type ignore", "chat/live.py", "x = 1  # type: ignore[attr-defined]\n"),
    "a type ignore without a code": ("type ignore", "chat/live.py", "x = 1  # type: ignore  # stubs are wrong\n"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_found(name: str, tmp_path: Path) -> None:
    rule, path, text = PLANTED[name]
    plant(tmp_path, path=path, text=text)
    assert rule in {fault.rule for fault in find(tmp_path) if fault.path == path}


def test_too_many_type_ignores_are_found_even_with_code_and_reason(tmp_path: Path) -> None:
    text = "x = 1  # type: ignore[attr-defined]  # the stubs are wrong\n" + "x = 1\n" * 300
    plant(tmp_path, path="chat/live.py", text=text)
    assert rules(tmp_path) == {"type ignore"}


def test_a_file_without_a_docstring_is_found(tmp_path: Path) -> None:
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "live.py").write_text("x = 1\n")
    assert rules(tmp_path) == {"docstring"}


def test_what_the_house_allows_is_no_fault(tmp_path: Path) -> None:
    plant(tmp_path, path="chat/models.py", text="from accounts.models import User\nfrom . import live\n")
    plant(tmp_path, path="providers/client.py", text="from openai import AsyncOpenAI\n")
    plant(tmp_path, path="providers/client_stream.py", text="import openai\n")
    plant(tmp_path, path="chat/management/commands/seed.py", text="print('seeded')\n")
    plant(tmp_path, path="chat/apps.py", text="class Chat(AppConfig):\n    def ready(self):\n        import json\n")
    plant(tmp_path, path="chat/migrations/0001_initial.py", text="x = 1\n" * 500)
    plant(tmp_path, path="chat/live.py", text=nested(4) + "def long():\n" + "    x = 1\n" * 59)
    ladder = "def pick(x):\n    if x:\n        return 1\n" + "    elif x:\n        return 2\n" * 6
    plant(tmp_path, path="chat/queries.py", text=ladder)
    assert find(tmp_path) == []


def test_a_listed_late_import_is_allowed_and_a_stale_listing_is_found(tmp_path: Path) -> None:
    plant(tmp_path, path="chat/live.py", text="def now():\n    import zoneinfo\n")
    listed = Late("chat/live.py", "zoneinfo", "heavy")
    assert find(tmp_path, late=(listed,)) == []
    stale = Late("chat/live.py", "json", "heavy")
    text = "json is listed but no longer imported late: take it off the list"
    assert find(tmp_path, late=(listed, stale)) == [Fault("chat/live.py", 1, "late import", text)]


def test_the_web_process_loads_neither_openai_nor_the_engine(tmp_path: Path) -> None:
    assert loaded_by_the_web(tmp_path) == []


def test_the_look_into_the_web_process_sees_a_planted_import(tmp_path: Path) -> None:
    assert "openai" in loaded_by_the_web(tmp_path, planted="import openai")


def plant(root: Path, *, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('"""A planted file."""\n' + text)


def rules(root: Path) -> set[str]:
    return {fault.rule for fault in find(root)}


def loaded_by_the_web(data: Path, *, planted: str = "") -> list[str]:
    environment = os.environ | {"DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    command = [sys.executable, "-c", WEB.format(planted=planted)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
