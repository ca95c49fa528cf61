"""The proof is shown every kind of tampering first: a changed row, a removed one, a cut end, a chain written anew."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import audit, audit_chain, audit_proof
from accounts.models import AuditEvent, User
from tests.audit_guard import lifted

pytestmark = pytest.mark.django_db(transaction=True)
HASH = "a" * 64


@pytest.fixture(autouse=True)
def data_dir(settings: LazySettings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def trail(ada: User) -> Iterator[None]:
    for number in range(1, 7):
        audit.record("person.changed", actor=ada, target=ada, changes={"role": [number - 1, number]})
    yield


def verify(*words: str) -> str:
    said = io.StringIO()
    call_command("verify_audit", *words, stdout=said)
    return said.getvalue()


def tamper(row: int, **values: Any) -> None:
    with lifted(connection):
        AuditEvent.objects.filter(number=row).update(**values)


def rewrite(after: int) -> None:
    """Computes every hash anew, as somebody with the whole database in hand could."""
    last = audit_chain.GENESIS
    with lifted(connection):
        for row in AuditEvent.objects.order_by("number"):
            row.previous = last if row.number > after else row.previous
            row.personal, row.target_personal = audit_chain.actor_digest(row), audit_chain.target_digest(row)
            row.hash = audit_chain.event_hash(row)
            row.save()
            last = row.hash


def test_an_empty_trail_is_whole() -> None:
    assert audit_proof.prove() == audit_proof.Finding(audit_proof.Head(0, audit_chain.GENESIS))


def test_a_whole_trail_prints_its_head(trail: None, data_dir: Path) -> None:
    head = AuditEvent.objects.get(number=6)
    assert verify() == f"6 events, unbroken.\nHead: 6:{head.hash}\n"
    assert (data_dir / "audit_anchors").read_text().endswith(f" 6:{head.hash}\n")
    assert (data_dir / "audit_anchors").stat().st_mode & 0o777 == 0o600
    verify()
    assert len(audit_proof.kept()) == 1


def test_an_erased_person_leaves_the_trail_whole(trail: None, ada: User) -> None:
    audit.forget(ada)
    assert verify().startswith("7 events, unbroken.")


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (lambda: tamper(3, changes={"role": [2, 4]}), "event 3 was changed"),
        (lambda: tamper(3, action="person.added"), "event 3 was changed"),
        (lambda: tamper(3, actor_name="Eve"), "event 3 was changed: who did it"),
        (lambda: tamper(3, address="192.0.2.1"), "event 3 was changed: who did it"),
        (lambda: tamper(3, target_name="Eve"), "event 3 was changed: to whom"),
        (lambda: tamper(3, private={"name": ["A", "B"]}), "event 3 was changed: to whom"),
        (lambda: tamper(3, actor_name="Eve", salt=""), "event 3 was changed: somebody erased was written in"),
        (lambda: tamper(3, target_name="Eve", target_salt=""), "event 3 was changed: somebody erased was written in"),
        (lambda: tamper(3, personal=HASH, salt="", actor_name="", device="", address=""), "event 3 was changed"),
        (lambda: tamper(3, previous=HASH), "event 3 does not follow"),
        (lambda: tamper(3, hash=HASH), "event 3 was changed"),
        (lambda: tamper(3, number=99), "event 3 is missing: after 2 comes 4"),
    ],
)
def test_a_changed_event_is_named(trail: None, fault: Callable[[], None], word: str) -> None:
    fault()
    with pytest.raises(CommandError, match=word) as refused:
        verify()
    assert refused.value.returncode == 1
    assert "Eve" not in str(refused.value)


@pytest.mark.parametrize(("gone", "first"), [([1], 1), ([3], 3), ([3, 4], 3)])
def test_a_removed_event_is_named(trail: None, gone: list[int], first: int) -> None:
    with lifted(connection):
        AuditEvent.objects.filter(number__in=gone).delete()
    with pytest.raises(CommandError, match=f"event {first} is missing"):
        verify()


def test_an_end_that_was_cut_off_is_missed_when_its_head_was_noted(trail: None) -> None:
    verify()
    with lifted(connection):
        AuditEvent.objects.filter(number__gt=4).delete()
    with pytest.raises(CommandError, match="event 6 was noted and is gone: the trail ends at 4"):
        verify()


def test_without_a_note_the_cut_is_not_seen_here_but_a_head_kept_elsewhere_shows_it(trail: None) -> None:
    head = AuditEvent.objects.get(number=6)
    with lifted(connection):
        AuditEvent.objects.filter(number__gt=4).delete()
    assert audit_proof.prove().fault == ""  # what a chain cannot show by itself
    with pytest.raises(CommandError, match="event 6 was noted and is gone"):
        verify("--anchor", f"6:{head.hash}")


def test_a_trail_that_was_written_anew_is_not_the_one_that_was_noted(trail: None) -> None:
    verify()
    tamper(3, changes={"role": [2, 9]})
    rewrite(after=2)
    for row in AuditEvent.objects.order_by("number"):
        assert audit_chain.event_hash(row) == row.hash
    with pytest.raises(CommandError, match="event 6 is not the one that was noted"):
        verify()


def test_a_missing_guard_is_a_fault(trail: None) -> None:
    with lifted(connection), pytest.raises(CommandError, match=r"no longer guards it .audit_no_delete"):
        verify()
    assert verify().startswith("6 events")


def test_after_a_restore_the_administrator_accepts_and_that_is_recorded(trail: None) -> None:
    verify()
    with lifted(connection):
        AuditEvent.objects.filter(number__gt=4).delete()
    said = verify("--accept")
    row = AuditEvent.objects.get(number=5)
    assert said == f"5 events, unbroken.\nHead: 5:{row.hash}\n"
    assert (row.action, row.actor_kind, row.changes) == ("audit.accepted", "command", {"noted_heads": [1, 1]})
    assert audit_proof.kept() == [audit_proof.Head(5, row.hash)]


def test_accepting_does_not_heal_a_changed_event(trail: None) -> None:
    tamper(2, action="team.added")
    with pytest.raises(CommandError, match="event 2 was changed"):
        verify("--accept")


@pytest.mark.parametrize("text", ["", "6", "6:abc", "x:" + HASH, f"6:{HASH}0"])
def test_an_anchor_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(CommandError, match="not number:hash") as refused:
        verify(f"--anchor={text}")
    assert refused.value.returncode == 2


def test_a_page_boundary_hides_nothing(trail: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_proof, "PAGE", 2)
    assert audit_proof.prove().head.number == 6
    with lifted(connection):
        AuditEvent.objects.filter(number=3).delete()
    assert audit_proof.prove().number == 3


def test_a_file_of_heads_that_cannot_be_read_is_a_fault_and_no_crash(trail: None, data_dir: Path) -> None:
    (data_dir / "audit_anchors").write_text("2026-01-01T00:00:00+00:00 6:short\n")
    with pytest.raises(CommandError, match="cannot be read"):
        verify()


def test_the_daily_check_writes_what_it_found_and_a_broken_trail_is_an_alarm(
    trail: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert audit_proof.check_daily().startswith("6 events, unbroken; head 6:")
    tamper(2, action="team.added")
    assert audit_proof.check_daily() == "event 2 was changed"
    rows = AuditEvent.objects.filter(number__gt=6).order_by("number").values_list("action", "changes")
    assert list(rows) == [
        ("audit.verified", {"events": [None, 6]}),
        ("audit.broken", {"events": [None, 1], "fault": [None, "event 2 was changed"]}),
    ]
    assert [record.levelname for record in caplog.records if "audit trail is broken" in record.message] == ["ERROR"]
    assert [head.number for head in audit_proof.kept()] == [6]
