"""A call has one row, however often it is recorded; its figures outlive the people and conversations they came from."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.apps import apps
from django.db import models

from tests.chat import scene
from tests.chat.scene import answered
from usage import invocations
from usage.models import Invocation, Reservation
from usage.recovery import settle_expired

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def call(request_id: uuid.UUID, *, outcome: str = "done") -> Invocation:
    return Invocation(request_id=request_id, source="page", created_at=NOW, finished_at=NOW, outcome=outcome)


def test_a_second_row_of_a_call_is_left_out_and_the_others_are_kept() -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    invocations.record([call(first)])
    invocations.record([call(first, outcome="failed"), call(second)])
    assert dict(Invocation.objects.values_list("request_id", "outcome")) == {first: "done", second: "done"}


def test_what_was_used_outlives_the_person_and_the_conversation() -> None:
    scene.model()
    ada = scene.person()
    sent = answered(ada)
    ada.delete()
    row = Invocation.objects.get()
    assert (row.person_name, row.request_id, row.output_tokens) == ("Ada", sent.generation.uuid, 3)
    assert Reservation.objects.get().state == "settled"


def test_no_foreign_key_leaves_the_room() -> None:
    links = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_app_config("usage").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model._meta.app_label != "usage"
    ]
    assert links == []


def test_only_holds_with_a_lease_of_their_own_are_settled_when_it_is_over() -> None:
    def hold(lease: dt.datetime | None) -> Reservation:
        return Reservation.objects.create(
            request_id=uuid.uuid4(), source="title", created_at=NOW, lease_expires_at=lease, estimate=9
        )

    over, alive, answers = hold(NOW), hold(NOW + dt.timedelta(hours=1)), hold(None)
    later = NOW + dt.timedelta(minutes=1)
    assert [settle_expired(now=later) for _ in range(2)] == [1, 0]
    assert dict(Reservation.objects.values_list("pk", "state")) == {
        over.pk: "settled",
        alive.pk: "held",
        answers.pk: "held",
    }
    row = Invocation.objects.get()
    assert (row.request_id, row.outcome, row.input_tokens, row.estimated) == (over.request_id, "interrupted", 9, True)
