"""GET and PATCH me/: five fields of one's own, by the letter, and nothing else of any row (A7, A8, G2)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Membership, Organisation, Team, User
from providers.models import LanguageModel, ModelRoute, Provider
from tests.api.conftest import Call, key_of, own_queries, problem, token_of

pytestmark = pytest.mark.django_db
WRITABLE = {"name", "language", "time_zone", "theme", "default_model"}


@pytest.fixture
def model(db: None) -> LanguageModel:
    made = LanguageModel.objects.create(slug="quick", name="Quick", enabled=True)
    provider = Provider.objects.create(name="P", base_url="https://p.example/v1")
    ModelRoute.objects.create(model=made, provider=provider, upstream_name="q")
    return made


def test_me_says_who_and_what_the_credential_may(call: Call, ada: User) -> None:
    secret = key_of(ada, scopes=["chat"])
    assert call("GET", "me/", credential=secret).json() == {
        "id": str(ada.uuid),
        "email": "ada@example.com",
        "is_service": False,
        "name": "Ada",
        "language": "",
        "time_zone": "",
        "theme": "system",
        "default_model": "",
        "credential": {
            "kind": "key",
            "scopes": ["chat"],
            "models": None,
            "key": {"id": str(ada.api_keys.get().uuid), "name": "editor", "prefix": secret[:11]},
        },
    }


def test_the_models_of_a_key_are_named(call: Call, ada: User, model: LanguageModel) -> None:
    found = call("GET", "me/", credential=key_of(ada, models=["quick"])).json()
    assert found["credential"]["models"] == ["quick"]


def test_a_program_sees_itself(call: Call, ada: User, program: User) -> None:
    found = call("GET", "me/", credential=key_of(program, by=ada)).json()
    assert (found["name"], found["email"], found["is_service"]) == ("Report", "", True)


def test_the_five_fields_are_set_and_the_change_is_written_down(call: Call, ada: User, model: LanguageModel) -> None:
    body = {
        "name": "Ada L.",
        "language": "zh-hans",
        "time_zone": "Asia/Shanghai",
        "theme": "dark",
        "default_model": "quick",
    }
    for _ in range(2):
        answer = call("PATCH", "me/", body, credential=token_of(ada))
        assert answer.status_code == 200
        assert {name: answer.json()[name] for name in WRITABLE} == body
    ada.refresh_from_db()
    assert {name: getattr(ada, name) for name in WRITABLE} == body
    (event,) = AuditEvent.objects.filter(action="person.changed")
    assert (event.actor, event.target) == (ada.uuid, ada.uuid)


def test_what_is_left_out_stays(call: Call, ada: User) -> None:
    User.objects.update(theme="dark", language="en")
    assert call("PATCH", "me/", {"name": "Ada L."}, credential=token_of(ada)).json()["theme"] == "dark"
    assert call("PATCH", "me/", {}, credential=token_of(ada)).json()["name"] == "Ada L."


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 121),
        ("name", "a\x00b"),
        ("name", None),
        ("name", ["x"]),
        ("language", "tlh"),
        ("language", "en-GB"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("theme", "pink"),
        ("theme", ""),
        ("default_model", "hidden"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(call: Call, ada: User, field: str, value: Any) -> None:
    assert problem(call("PATCH", "me/", {field: value}, credential=token_of(ada)), 400, "invalid")["errors"].keys() == {
        field
    }


def everything() -> dict[str, list[Any]]:
    with connection.cursor() as cursor:
        found = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found[table] = [tuple(map(str, row)) for row in cursor.fetchall()]
    return found


def test_no_other_field_of_any_model_can_be_set(call: Call, ada: User) -> None:
    """G2: every field there is, posted one by one; not a cell of the database may differ."""
    fields = {field.name for field in User._meta.get_fields()} | {
        field.name for field in Organisation._meta.get_fields()
    }
    fields |= {field.name for field in Membership._meta.get_fields()} | {
        field.name for field in Team._meta.get_fields()
    }
    fields |= {
        "id",
        "pk",
        "uuid",
        "user",
        "role",
        "quota",
        "used",
        "is_admin",
        "scopes",
        "credential",
        "created_at",
        "__class__",
        "_state",
    }
    token = token_of(ada)
    call("GET", "me/", credential=token)
    before = everything()
    for name in sorted(fields - WRITABLE):
        for value in (1, True, "x", str(ada.uuid)):
            problem(call("PATCH", "me/", {"name": "Eve", name: value}, credential=token), 400, "invalid")
    after = everything()
    assert [table for table in before if before[table] != after[table]] == ["accounts_tries"]  # the pace alone


def test_a_key_changes_the_profile_only_with_the_scope(call: Call, ada: User, program: User) -> None:
    problem(call("PATCH", "me/", {"name": "Eve"}, credential=key_of(ada, scopes=["chat", "keys"])), 403, "forbidden")
    assert call("PATCH", "me/", {"name": "Ada L."}, credential=key_of(ada, scopes=["profile"])).status_code == 200
    (event,) = AuditEvent.objects.filter(action="person.changed")
    assert event.actor_kind == "key"
    problem(
        call("PATCH", "me/", {"name": "Eve"}, credential=key_of(program, by=ada, scopes=["chat"])), 403, "forbidden"
    )


def test_me_takes_few_queries(call: Call, ada: User) -> None:
    Organisation.get()
    for credential, count in ((key_of(ada), 2), (token_of(ada), 2)):
        call("GET", "me/", credential=credential)
        with CaptureQueriesContext(connection) as asked:
            call("GET", "me/", credential=credential)
        own = own_queries(asked)
        assert len(own) == count, own
