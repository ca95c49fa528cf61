"""Exporting and erasing one person: everything that says who she was, nothing that others need, once, whoever dies on the way."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test import Client
from django.utils import timezone

from accounts import api_keys, audit_proof, erasing, legal_holds, openings, people, personal, personal_own, taking_along
from accounts.models import AuditEvent, Erasure, Invitation, LoginSession, Mail, Notice, Registration, User
from accounts.refusals import NotPossible
from chat.models import Conversation, Message
from tests.accounts.crowd import person, proved, root, signed_in, staff
from tests.accounts.programs import signed_in as token_of
from tests.chat import scene
from tests.chat.test_opened import staff_with_right, terms
from tests.privacy_table import BLANKED, KEPT, ROWS_GO
from usage import proof, rules
from usage.models import Invocation, LedgerEntry, Quota, QuotaRequest, Reservation

pytestmark = pytest.mark.django_db
NAME, EMAIL = "Adalbertine Quux", "adalbertine@example.com"


@pytest.fixture
def boss(gpt: Any) -> User:
    return root("boss")


@pytest.fixture
def she(boss: User) -> User:
    """Somebody of whom there is something in every table, and another one of whom nothing may go."""
    made = User.objects.create_user(EMAIL, "pine needles on paper", name=NAME, language="en")
    scene.answered(made, "canary of hers", reply="canary reply")
    scene.answered(made, "a second one")
    rules.make(scope="person", subject=made, unit="requests", period="day", amount=500)
    quota = Quota.objects.get()
    QuotaRequest.objects.create(quota=quota, person=made.uuid, person_name=NAME, reason="I need more")
    api_keys.make(made, name="laptop of Adalbertine", by=made, scopes=["chat"])
    token_of(made)
    signed_in(made).get("/me/")
    Authenticator.objects.create(user=made, type="totp", data={"secret": "x"})
    later = timezone.now() + dt.timedelta(days=1)
    Invitation.objects.create(
        email=EMAIL, name=NAME, digest="a" * 64, expires_at=later, accepted_at=timezone.now(), user=made
    )
    Registration.objects.create(email=EMAIL, name=NAME, password="!", digest="b" * 64, expires_at=later)
    Mail.objects.create(to=EMAIL, kind="test", language="en", subject=f"For {NAME}")
    Notice.objects.create(user=made, kind="link_made", by="Boss")
    return made


def off(user: User, by: User) -> User:
    people.deactivate(user, by=by)
    return User.objects.get(pk=user.pk)


def everywhere(text: str) -> list[str]:
    """Every column of every table of ours and of the libraries in which a text stands."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if isinstance(field, models.CharField | models.TextField | models.JSONField):
                values = model._base_manager.values_list(field.attname, flat=True)
                if any(text.lower() in str(value).lower() for value in values):
                    found.append(f"{model._meta.label}.{field.name}")
    return found


def erase(user: User, by: User) -> Erasure:
    erasure = erasing.begin(off(user, by), by=by)
    assert erasing.carry_on(erasure)
    return erasure


def test_after_erasing_her_name_stands_nowhere_and_what_was_used_is_counted_as_before(she: User, boss: User) -> None:
    other = scene.person("other")
    scene.answered(other, "his own")
    before = (
        LedgerEntry.objects.count(),
        Invocation.objects.count(),
        Reservation.objects.count(),
        list(proof.drifts()),
    )
    assert len(everywhere(EMAIL)) > 4
    assert len(everywhere("Adalbertine")) > 4
    keys = [str(she.uuid)]
    erasure = erase(she, boss)
    assert (everywhere(EMAIL), everywhere("Adalbertine"), everywhere("canary")) == ([], [], [])
    assert (LedgerEntry.objects.count(), Invocation.objects.count(), Reservation.objects.count(), []) == before
    assert list(proof.drifts()) == []
    assert audit_proof.prove().fault == ""
    assert not LedgerEntry.objects.filter(person=keys[0]).exists()
    assert not Invocation.objects.filter(person=keys[0]).exists()
    assert not LoginSession.objects.filter(user=she).exists()
    assert Conversation.objects.filter(user=other).count() == 1
    assert LedgerEntry.objects.filter(person=other.uuid, person_name="Other").count() == 1
    assert erasure.finished_at is not None
    event = AuditEvent.objects.get(action="person.erased")
    assert (erasure.event, erasure.event_hash) == (event.number, event.hash)
    # What was planned went; the trail has more by the erasing itself, and an event that names her twice loses both.
    differs = {slug for slug in erasure.planned if erasure.planned[slug] != erasure.erased.get(slug, 0)}
    assert differs <= {"trail"}
    call_command("check_ledger")


def columns() -> dict[str, set[str]]:
    tables = apps.get_models(include_auto_created=True)
    return {table._meta.label: {field.name for field in table._meta.concrete_fields} for table in tables}


def undeclared(found: dict[str, set[str]]) -> list[str]:
    """Columns of which nobody has said what becomes of them; and those that are named and gone."""
    named = {table: set(BLANKED.get(table, "").split()) | set(KEPT.get(table, ("", ""))[1].split()) for table in found}
    rest = {table: found[table] ^ named[table] for table in found if table not in ROWS_GO}
    return sorted(f"{table}.{column}" for table, these in rest.items() for column in these)


def test_every_column_is_either_erased_or_kept_with_a_reason() -> None:
    """The part that stays right for years: a new column is named in tests/privacy_table.py, or this fails."""
    assert undeclared(columns()) == [], "write them down in tests/privacy_table.py"
    assert sorted({*ROWS_GO, *BLANKED, *KEPT} - set(columns())) == [], "these tables are gone"
    assert all(len(why) >= 9 for why, _columns in KEPT.values())
    for table, words in BLANKED.items():
        assert not set(words.split()) & set(KEPT[table][1].split())


def test_a_column_that_nobody_declared_would_be_noticed() -> None:
    more = columns()
    more["accounts.User"] = more["accounts.User"] | {"shoe_size"}
    assert undeclared(more | {"chat.Diary": {"id"}}) == ["accounts.User.shoe_size", "chat.Diary.id"]


def test_what_the_table_calls_erased_is_empty_or_gone(she: User, boss: User) -> None:
    """Not by the code's own lists: whoever she was is looked for in each of these columns."""
    erase(she, boss)
    for label in ROWS_GO:
        model = apps.get_model(label)
        for field in model._meta.concrete_fields:
            if field.related_model is User and field.name in {"user", "person"}:
                assert not model._base_manager.filter(**{field.name: she}).exists(), label
    for label in ("usage.LedgerEntry", "usage.Invocation", "usage.Reservation"):
        assert not apps.get_model(label)._base_manager.filter(person=she.uuid).exists()
    row = User.objects.get(pk=she.pk)
    assert (row.name, row.is_active, row.has_usable_password(), row.has_mail) == ("", False, False, False)


@pytest.mark.parametrize("stops", range(1, 9))
def test_whatever_kills_it_in_the_middle_a_second_run_finishes_and_a_third_says_so(
    stops: int, she: User, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter(range(stops))
    note = erasing._note

    class DiedError(Exception):
        pass

    def dies(erasure: Erasure, *, slug: str, more: int) -> None:
        if next(steps, None) is None:
            raise DiedError
        note(erasure, slug=slug, more=more)

    monkeypatch.setattr(erasing, "_note", dies)
    erasure = erasing.begin(off(she, boss), by=boss)
    with pytest.raises(DiedError):
        erasing.carry_on(erasure)
    monkeypatch.setattr(erasing, "_note", note)
    assert erasing.carry_all_on() == 1
    assert (everywhere(EMAIL), everywhere("Adalbertine"), everywhere("canary")) == ([], [], [])
    again = erasing.begin(User.objects.get(pk=she.pk), by=boss)
    assert (again.pk, again.finished_at is not None, erasing.carry_on(again)) == (erasure.pk, True, True)
    assert AuditEvent.objects.filter(action="person.erased").count() == 1
    assert erasing.carry_all_on() == 0


def test_it_is_refused_while_she_works_here_and_while_a_hold_covers_her(she: User, boss: User) -> None:
    for user, code in ((she, "active"), (boss, "oneself")):
        with pytest.raises(NotPossible, match=code):
            erasing.begin(user, by=boss)
    gone = off(she, boss)
    hold = legal_holds.set_on(person=gone, reason="Case 4711", by=boss, request=None)  # type: ignore[arg-type]  # none is needed
    with pytest.raises(NotPossible, match="held"):
        erasing.begin(gone, by=boss)
    page = proved(boss).post(f"/setup/privacy/people/{she.uuid}/", {"do": "erase", "sure": "yes"}, follow=True)
    assert "legal hold" in page.content.decode()
    assert Conversation.objects.filter(user=she).count() == 2
    legal_holds.end(hold, by=boss, request=None)  # type: ignore[arg-type]  # none is needed
    erasure = erasing.begin(gone, by=boss)
    legal_holds.set_on(person=gone, reason="Case 4712", by=boss, request=None)  # type: ignore[arg-type]  # none is needed
    with pytest.raises(NotPossible, match="held"):
        erasing.carry_on(erasure)
    assert erasing.carry_all_on() == 0
    assert Message.objects.filter(text="canary of hers").exists(), "a hold that comes after the beginning stops it, too"


def test_the_page_names_the_rows_asks_once_and_shows_the_receipt(she: User, boss: User) -> None:
    off(she, boss)
    client, here = proved(boss), f"/setup/privacy/people/{she.uuid}/"
    page = client.get(here)
    assert page.context["rows"] == sum(line.count for line in erasing.plan(User.objects.get(pk=she.pk)))
    assert f"{page.context['rows']} rows" in page.content.decode()
    client.post(here, {"do": "erase"})
    assert not Erasure.objects.exists(), "not without the tick"
    went = client.post(here, {"do": "erase", "sure": "yes"})
    erasure = Erasure.objects.get()
    receipt = f"/setup/privacy/erasures/{erasure.uuid}/"
    assert went["Location"] == receipt
    shown = client.get(receipt).content.decode()
    assert (erasure.event_hash in shown, NAME in shown) == (True, False)
    told = json.loads(client.get(f"{receipt}file/").content)
    assert (told["audit_hash"], told["person"], told["erased_rows"]) == (
        erasure.event_hash,
        str(she.uuid),
        erasure.erased,
    )
    assert client.get(here)["Location"] == receipt


def test_only_who_may_exports_or_erases(she: User, boss: User) -> None:
    off(she, boss)
    for user in (
        staff("helper", "view_user", "change_user"),
        staff("keeper", "manage_privacy"),
        person("mate"),
        person("stranger"),
    ):
        for do in ("export", "erase"):
            answer = proved(user).post(f"/setup/privacy/people/{she.uuid}/", {"do": do, "sure": "yes"})
            assert answer.status_code == 403
    assert not Erasure.objects.exists()
    assert not AuditEvent.objects.filter(action="person.exported").exists()


def files_in(answer: Any) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        return {name: packed.read(name).decode() for name in packed.namelist()}


def test_her_own_export_holds_everything_of_hers_and_nothing_of_others(she: User, boss: User) -> None:
    other = scene.person("other")
    scene.answered(other, "canary-of-the-other")
    found = files_in(proved(she).post("/me/privacy/export/"))
    text = "\n".join(found.values())
    for word in (
        "canary of hers",
        "canary reply",
        EMAIL,
        NAME,
        "I need more",
        "laptop of Adalbertine",
        "sign_in.succeeded",
    ):
        assert word in text, word
    assert "canary-of-the-other" not in text
    for secret in ("argon2", "digest", "pbkdf2"):
        assert secret not in text
    assert any(name.endswith(".md") for name in found)
    assert Client().post("/me/privacy/export/").status_code == 302
    assert AuditEvent.objects.filter(action="person.exported", actor=she.uuid).count() == 1


def test_an_administrators_export_is_no_way_around_an_open_look(she: User) -> None:
    reader = staff_with_right("reader")
    keeper = User.objects.get(email="root-of-reader@example.com")
    page = f"/setup/privacy/people/{she.uuid}/"
    without = "\n".join(files_in(proved(keeper).post(page, {"do": "export"})).values())
    assert ("canary" in without, EMAIL in without) == (False, True)
    opening = openings.ask(she, by=reader, **terms())
    without = "\n".join(files_in(proved(keeper).post(page, {"do": "export"})).values())
    assert "canary" not in without, "a look is its reader's alone"
    reader.user_permissions.add(*Permission.objects.filter(codename__in=("manage_privacy", "view_user")))
    with_look = "\n".join(files_in(proved(reader).post(page, {"do": "export"})).values())
    assert "canary of hers" in with_look
    assert AuditEvent.objects.filter(action="look.exported", target=opening.uuid, concerns=she.uuid).exists()


def test_a_large_export_comes_in_parts_that_fit_together(she: User) -> None:
    every = list(taking_along.files(she))
    parts, number, more = [], 1, True
    while more:
        files, more = taking_along.portion(taking_along.files(she), part=number, most=2_500)
        parts += [name for name, _body in files]
        number += 1
    assert number > 3
    assert parts == [name for name, _text in every]
    assert taking_along.archive(taking_along.files(she), part=50)[1] == 0


def test_the_commands_export_and_erase(
    she: User, boss: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "she.zip"
    call_command("export_person", EMAIL, str(target))
    with zipfile.ZipFile(target) as packed:
        assert any(b"canary of hers" in packed.read(name) for name in packed.namelist())
    with pytest.raises(CommandError, match="can't be written"):
        call_command("export_person", EMAIL, str(target))
    with pytest.raises(CommandError, match="Switch the account off"):
        call_command("erase_person", EMAIL, "--yes")
    off(she, boss)
    call_command("erase_person", EMAIL)
    assert "Nothing was erased" in capsys.readouterr().out
    assert Conversation.objects.filter(user=she).exists()
    call_command("erase_person", EMAIL, "--yes")
    assert json.loads(capsys.readouterr().out)["person"] == str(she.uuid)
    call_command("erase_person", str(she.uuid), "--yes")
    assert "Erased before" in capsys.readouterr().out
    with pytest.raises(CommandError, match="Nobody has"):
        call_command("erase_person", EMAIL)


def test_parts_are_few_statements_whatever_there_is(she: User, django_assert_max_num_queries: Any) -> None:
    for _each in (1, 3):
        with django_assert_max_num_queries(60):
            erasing.plan(she)
        scene.answered(she, "more")
    assert {part.slug for part in personal.parts()} >= {"conversations", "entries", "calls", "account", "trail"}
    assert personal.parts()[-1].slug == "account"
    assert not personal_own.is_erased(she)
    assert connection.vendor in ("sqlite", "postgresql")
