"""Maintenance: staff still come in and send, colleagues are told and read, what was sent goes on, programs are asked to come later."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import maintenance
from accounts.models import AuditEvent, Organisation, User
from chat import claims
from chat.models import Generation
from tests.chat import scene

pytestmark = pytest.mark.django_db
WHERE = reverse("setup_accounts:maintenance")


@pytest.fixture
def boss() -> User:
    scene.model()
    return User.objects.create_superuser("root@example.com")


@pytest.fixture
def mate(boss: User) -> User:
    return User.objects.create_user("mate@example.com")


def of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, **headers: str) -> Any:
    body = json.dumps({"text": "Why?", "client_id": uuid.uuid4().hex})
    return client.post("/chat/messages/", body, content_type="application/json", headers={"Accept": "application/json"})


def test_a_colleague_is_told_and_her_question_is_refused_while_staff_go_on(boss: User, mate: User) -> None:
    assert send(of(mate)).status_code == 202
    until = timezone.localtime() + dt.timedelta(minutes=30)
    given = {"do": "on", "until": until.strftime("%Y-%m-%dT%H:%M"), "note": "A new disk."}
    assert of(boss).post(WHERE, given).status_code == 302
    refused = send(of(mate))
    assert refused.status_code == 503
    assert 60 <= int(refused["Retry-After"]) <= 1800
    error = refused.json()["error"]
    assert error["code"] == "maintenance"
    assert "Your text is kept in this box. A new disk." in error["message"]
    shown = of(mate).get("/chat/").content.decode()
    assert "Maintenance until about" in shown
    assert "A new disk." in shown
    assert "what was sent before is answered" in shown
    assert send(of(boss)).status_code == 202
    assert "Colleagues cannot send anything now; you can." in of(boss).get("/chat/").content.decode()
    assert of(boss).post(WHERE, {"do": "off"}).status_code == 302
    assert send(of(mate)).status_code == 202
    assert "Maintenance" not in of(mate).get("/chat/").content.decode()
    actions = list(AuditEvent.objects.order_by("number").values_list("action", flat=True))
    assert [each for each in actions if "maintenance" in each] == [
        "organisation.maintenance_on",
        "organisation.maintenance_off",
    ]


def test_what_was_sent_before_is_answered_and_may_be_stopped(boss: User, mate: User) -> None:
    send(of(mate))
    maintenance.switch(on=True, by_command=True)
    made = Generation.objects.get()
    assert "1 answer is not finished yet." in of(boss).get(WHERE).content.decode()
    assert [claimed.generation for claimed in claims.claim(uuid.uuid4(), places=4)] == [made]
    assert of(mate).post(f"/chat/generations/{made.uuid}/cancel/").status_code == 302


def test_a_form_without_scripts_gets_its_text_back(boss: User, mate: User) -> None:
    maintenance.switch(on=True, by_command=True)
    answer = of(mate).post("/chat/messages/", {"text": "My long question", "client_id": uuid.uuid4().hex})
    assert answer.status_code == 503
    assert "My long question" in answer.content.decode()


def test_programs_are_asked_to_come_back_and_read_all_the_same(boss: User, mate: User) -> None:
    mate.set_password("a long pass phrase 1")
    mate.save()
    client = Client()
    given = {"email": mate.email, "password": "a long pass phrase 1"}
    token = client.post("/api/v1/auth/token/", given, content_type="application/json").json()["access"]
    headers = {"Authorization": f"Bearer {token}"}
    maintenance.switch(on=True, by_command=True)
    refused = client.patch("/api/v1/me/", {"name": "X"}, content_type="application/json", headers=headers)
    assert (refused.status_code, refused["Content-Type"]) == (503, "application/problem+json")
    assert refused["Retry-After"] == str(maintenance.USUAL_S)
    assert refused.json()["code"] == "maintenance"
    assert client.get("/api/v1/me/", headers=headers).status_code == 200


def test_the_command_says_how_it_stands() -> None:
    assert call_command("maintenance", "status") == "Maintenance is off."
    assert "Maintenance is on since" in call_command("maintenance", "on", "--minutes", "20", "--note", "A new disk.")
    assert "until about" in call_command("maintenance", "status")
    assert Organisation.get().maintenance_note == "A new disk."
    assert call_command("maintenance", "off") == "Maintenance is off."
    assert call_command("maintenance", "off") == "Maintenance is off."
    assert AuditEvent.objects.filter(action="organisation.maintenance_off").count() == 1


@pytest.mark.parametrize(
    "given", [("--minutes", "0"), ("--minutes", "99999999"), ("--note", "x" * 301), ("--note", "a\nb")]
)
def test_the_command_refuses_what_makes_no_sense(given: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        call_command("maintenance", "on", *given)
    assert Organisation.get().maintenance_since is None


def test_a_moment_that_has_passed_is_no_end(boss: User) -> None:
    answer = of(boss).post(WHERE, {"do": "on", "until": "2020-01-01T00:00"})
    assert answer.status_code == 422
    assert "That moment has passed." in answer.content.decode()
    assert Organisation.get().maintenance_since is None


def test_the_note_is_only_ever_text(boss: User, mate: User) -> None:
    maintenance.switch(on=True, note="<img src=x onerror=alert(1)>", by_command=True)
    for page in ("/chat/", "/accounts/login/"):
        assert "<img src=x" not in of(mate).get(page, follow=True).content.decode()
    assert "&lt;img src=x" in of(mate).get("/chat/").content.decode()


def test_colleagues_do_not_switch_it(mate: User) -> None:
    assert of(mate).post(WHERE, {"do": "on"}).status_code == 403
    assert Organisation.get().maintenance_since is None
