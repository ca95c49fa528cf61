"""The embedded bell between processes: no message half read, each at most once, what can't be read is dropped."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from django.conf import LazySettings
from kombu import Connection, Queue

from portal import broker

ROOT = Path(__file__).resolve().parent.parent.parent
PEER = """
import sys, json, time
sys.path.insert(0, {root!r})
from types import SimpleNamespace
from portal import broker
broker.settings = SimpleNamespace(BROKER_DIR={folder!r})
broker.register()
from kombu import Connection
from queue import Empty
role, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = Connection("embedded://")
box = connection.SimpleQueue("bell")
if role == "put":
    for n in range(count):
        box.put({{"id": f"{{name}}-{{n}}", "pad": "x" * 20_000}})
else:
    got, idle = [], time.monotonic() + 3
    while time.monotonic() < idle:
        try:
            message = box.get(timeout=0.3)
        except Empty:
            continue
        message.ack()
        assert len(message.payload["pad"]) == 20_000
        got.append(message.payload["id"])
        idle = time.monotonic() + 1.5
    print(json.dumps(got))
connection.close()
"""


@pytest.fixture
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    broker.register()
    settings.BROKER_DIR = tmp_path / "broker"
    return tmp_path / "broker"


def drained(connection: Connection) -> list[object]:
    box = connection.SimpleQueue("bell")
    found: list[object] = []
    while True:
        try:
            message = box.get(block=False)
        except Empty:
            return found
        message.ack()
        found.append(message.payload)


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    code = PEER.format(root=str(ROOT), folder=str(folder))
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_processes_share_the_folder_and_each_message_is_read_once_and_whole(folder: Path) -> None:
    folder.mkdir()
    readers = [start(folder, "get", f"r{n}", "0") for n in range(3)]
    writers = [start(folder, "put", f"w{n}", "150") for n in range(3)]
    for writer in writers:
        _, err = writer.communicate(timeout=60)
        assert writer.returncode == 0, err
    got: Counter[str] = Counter()
    for reader in readers:
        out, err = reader.communicate(timeout=60)
        assert reader.returncode == 0, err
        got.update(json.loads(out.splitlines()[-1]))
    assert got == {f"w{n}-{i}": 1 for n in range(3) for i in range(150)}
    assert list(folder.iterdir()) == []


def test_messages_come_in_the_order_in_which_they_were_put(folder: Path) -> None:
    with Connection("embedded://") as connection:
        box = connection.SimpleQueue("bell")
        for n in range(20):
            box.put(n)
        assert drained(connection) == list(range(20))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"[]", b"7", b"null", b"{}", b'{"body": "x"}', b'{"body": 1, "properties": []}'],
)
def test_what_cannot_be_read_is_dropped_and_the_next_is_delivered(folder: Path, content: bytes) -> None:
    with Connection("embedded://") as connection:
        connection.SimpleQueue("bell").put("first")
        (folder / f"{0:020d}_{'0' * 32}.bell.msg").write_bytes(content)
        assert drained(connection) == ["first"]
    assert list(folder.iterdir()) == []


def test_a_file_that_is_still_being_written_is_not_looked_at(folder: Path) -> None:
    folder.mkdir()
    (folder / f".{0:020d}_{'0' * 32}.bell.msg").write_text('{"half":')
    with Connection("embedded://") as connection:
        assert drained(connection) == []


def test_queues_whose_names_end_alike_do_not_share(folder: Path) -> None:
    with Connection("embedded://") as connection:
        connection.SimpleQueue("door.bell").put("other")
        assert drained(connection) == []
        channel: Any = connection.channel()
        assert (channel._size("door.bell"), channel._size("bell")) == (1, 0)
        Queue("bell", channel=channel).purge()
        assert channel._size("door.bell") == 1
        Queue("door.bell", channel=channel).purge()
        assert channel._size("door.bell") == 0


def test_the_folder_is_its_owners_alone(folder: Path) -> None:
    with Connection("embedded://") as connection:
        connection.SimpleQueue("bell").put(1)
    assert folder.stat().st_mode & 0o077 == 0
