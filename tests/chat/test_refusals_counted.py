"""What is refused is counted by its reason, for the organisation and the team that pays; what is carried out is not."""

from __future__ import annotations

import pytest
from django.db import DatabaseError

from chat import messages
from chat.doors import Door
from chat.refusals import Refused
from tests.chat import scene
from tests.usage import making
from usage import rollups
from usage.limit_models import NOBODY
from usage.models import Invocation, Rejection

pytestmark = pytest.mark.django_db


def test_a_refusal_counts_once_and_the_question_before_it_does_not() -> None:
    scene.model()
    ada = scene.person("ada")
    sales = making.team("Sales", ada)
    messages.send(ada, text="one", client_id="a" * 8)
    making.limit(0)
    with pytest.raises(Refused, match="limit_reached"):
        messages.send(ada, text="two", client_id="b" * 8)
    with pytest.raises(Refused, match="empty"):
        messages.send(ada, text=" ", client_id="c" * 8, door=Door("api"))
    rows = set(Rejection.objects.values_list("scope", "source", "reason", "refused"))
    assert rows == {
        (scope, source, reason, 1)
        for scope in (NOBODY, sales.uuid)
        for source, reason in (("page", "limit_reached"), ("api", "empty"))
    }
    assert Invocation.objects.count() == 0


def test_a_database_that_is_away_leaves_the_refusal_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_given: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(rollups, "refused", away)
    with pytest.raises(Refused, match="empty"):
        messages.send(scene.person("ada"), text="", client_id="c" * 8)
