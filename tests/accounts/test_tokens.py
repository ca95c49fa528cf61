"""Sign-ins of programs: one exchange of a refresh token, families, ends, and what acts on the very next request."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import passwords, tokens
from accounts.models import AuditEvent, LoginSession, RefreshToken, User
from accounts.tokens import AlreadyRotated, TokenRefused
from tests.accounts.programs import ago, asked, forged, signed_in, unpacked

pytestmark = pytest.mark.django_db


def lives(access: str) -> bool:
    try:
        tokens.read_access(access)
    except TokenRefused:
        return False
    return True


def test_a_sign_in_gives_a_pair_that_says_whose_it_is_and_nothing_else(ada: User) -> None:
    pair = signed_in(ada)
    assert pair.expires_in == 600
    access, refresh = (unpacked(token.split(".")[1]) for token in (pair.access, pair.refresh))
    words = {"aud", "exp", "iat", "iss", "jti", "sid", "sub", "sv", "token_type"}
    assert (set(access), set(refresh)) == (words, words)
    assert (access["sub"], access["sid"], access["sv"]) == (str(ada.uuid), str(pair.session.uuid), 1)
    assert refresh["exp"] - refresh["iat"] == 7 * 24 * 3600
    session = tokens.read_access(pair.access)
    assert (session.user, session.kind, session.method, session.device) == (ada, "token", "password", "curl/8.1")


def test_reading_an_access_token_takes_one_query(ada: User) -> None:
    access = signed_in(ada).access
    with CaptureQueriesContext(connection) as made:
        tokens.read_access(access)
    assert len(made) == 1


def test_a_refresh_token_is_exchanged_once_and_the_sign_in_stays_the_same(ada: User) -> None:
    pair = signed_in(ada)
    following = tokens.rotate(pair.refresh, request=asked())
    assert following.session.pk == pair.session.pk
    assert following.refresh != pair.refresh
    assert lives(following.access)
    assert lives(pair.access)  # for its few minutes, unless the sign-in ends
    assert LoginSession.objects.count() == 1


def test_the_same_client_that_asks_twice_at_once_gets_nothing_and_loses_nothing(ada: User) -> None:
    pair = signed_in(ada)
    following = tokens.rotate(pair.refresh, request=asked())
    with pytest.raises(AlreadyRotated):
        tokens.rotate(pair.refresh, request=asked())
    assert RefreshToken.objects.count() == 2
    assert lives(following.access)
    tokens.rotate(following.refresh, request=asked())


@pytest.mark.parametrize("where", [{"address": "198.51.100.9"}, {"agent": "python-requests/2"}])
def test_another_client_with_a_used_token_ends_the_whole_sign_in(ada: User, where: dict[str, str]) -> None:
    pair = signed_in(ada)
    following = tokens.rotate(pair.refresh, request=asked())
    with pytest.raises(TokenRefused) as refused:
        tokens.rotate(pair.refresh, request=asked(**where))
    assert refused.value.code == "invalid_token"
    assert not lives(following.access)
    with pytest.raises(TokenRefused):
        tokens.rotate(following.refresh, request=asked())
    session = LoginSession.objects.get()
    assert (session.ended_at is not None, session.ended_because) == (True, "reuse")
    (event,) = AuditEvent.objects.filter(action="token.reused")
    assert (event.target, event.actor_kind) == (ada.uuid, "anonymous")


def test_after_the_grace_even_the_same_client_ends_the_sign_in(ada: User) -> None:
    pair = signed_in(ada)
    following = tokens.rotate(pair.refresh, request=asked())
    used = RefreshToken.objects.exclude(used_at=None)
    used.update(used_at=ago(seconds=tokens.GRACE_S + 1))
    with pytest.raises(TokenRefused) as refused:
        tokens.rotate(pair.refresh, request=asked())
    assert not isinstance(refused.value, AlreadyRotated)
    assert not lives(following.access)


def test_other_sign_ins_are_not_touched_by_a_theft(ada: User) -> None:
    stolen, other = signed_in(ada), signed_in(ada, agent="other/1")
    tokens.rotate(stolen.refresh, request=asked())
    with pytest.raises(TokenRefused):
        tokens.rotate(stolen.refresh, request=asked("198.51.100.9"))
    assert not lives(stolen.access)
    assert lives(other.access)


def test_reuse_is_written_down_once_however_often_it_is_tried(ada: User) -> None:
    pair = signed_in(ada)
    tokens.rotate(pair.refresh, request=asked())
    for _ in range(3):
        with pytest.raises(TokenRefused):
            tokens.rotate(pair.refresh, request=asked("198.51.100.9"))
    assert AuditEvent.objects.filter(action="token.reused").count() == 1


def test_no_refresh_outlives_the_sign_in(ada: User, settings: Any) -> None:
    pair = signed_in(ada)
    LoginSession.objects.update(expires_at=ago(minutes=-3))
    following = tokens.rotate(pair.refresh, request=asked())
    for token in (following.access, following.refresh):
        words = unpacked(token.split(".")[1])
        assert 170 <= words["exp"] - words["iat"] <= 180
    assert following.expires_in <= 180
    LoginSession.objects.update(expires_at=ago(seconds=1))
    with pytest.raises(TokenRefused):
        tokens.rotate(following.refresh, request=asked())
    assert not lives(following.access)


def test_the_absolute_end_is_the_setting(ada: User, settings: Any) -> None:
    settings.JWT_SESSION_DAYS = 2
    session = signed_in(ada).session
    assert session.expires_at - session.created_at < dt.timedelta(days=2, minutes=1)


@pytest.mark.parametrize("minutes", [5, 15])
def test_the_access_tokens_life_is_the_setting(ada: User, settings: Any, minutes: int) -> None:
    settings.JWT_ACCESS_MINUTES = minutes
    assert signed_in(ada).expires_in == minutes * 60


def end(user: User, how: str) -> None:
    if how == "revoked":
        tokens.revoke(_refresh[user.pk], request=asked())
    elif how == "signed out everywhere":
        user.sign_out_everywhere()
    elif how == "new password":
        passwords.change(user, password="another long password")
    elif how == "switched off":
        User.objects.filter(pk=user.pk).update(is_active=False)
    elif how == "ended in the list":
        LoginSession.objects.update(ended_at=ago(seconds=0), ended_because="ended_by_owner")
    elif how == "row gone":
        LoginSession.objects.all().delete()
    elif how == "became a program's account":
        User.objects.filter(pk=user.pk).update(is_service=True)
    elif how == "deleted":
        User.objects.filter(pk=user.pk).delete()


_refresh: dict[int, str] = {}
ENDS = [
    "revoked",
    "signed out everywhere",
    "new password",
    "switched off",
    "ended in the list",
    "row gone",
    "became a program's account",
    "deleted",
]


@pytest.mark.parametrize("how", ENDS)
def test_an_end_acts_on_the_next_request_for_access_and_refresh(ada: User, how: str) -> None:
    pair = signed_in(ada)
    _refresh[ada.pk] = pair.refresh
    assert lives(pair.access)
    end(ada, how)
    assert not lives(pair.access)
    with pytest.raises(TokenRefused):
        tokens.rotate(pair.refresh, request=asked())


def test_signing_out_one_program_leaves_the_others(ada: User) -> None:
    one, other = signed_in(ada), signed_in(ada)
    tokens.revoke(one.refresh, request=asked())
    tokens.revoke(one.refresh, request=asked())
    assert (lives(one.access), lives(other.access)) == (False, True)
    assert LoginSession.objects.get(pk=one.session.pk).ended_because == "signed_out"
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1


def test_a_used_refresh_token_can_still_sign_the_program_out(ada: User) -> None:
    pair = signed_in(ada)
    following = tokens.rotate(pair.refresh, request=asked())
    tokens.revoke(pair.refresh, request=asked("198.51.100.9"))
    assert not lives(following.access)


def test_signing_in_is_written_down_without_a_token(ada: User) -> None:
    pair = signed_in(ada)
    tokens.rotate(pair.refresh, request=asked())
    (event,) = AuditEvent.objects.filter(action__startswith="token.")
    assert (event.action, event.actor, event.address) == ("token.issued", ada.uuid, "192.0.2.7")
    assert event.changes == {"method": [None, "password"], "sign_in": [None, str(pair.session.uuid)]}


def test_no_row_holds_anything_that_works_as_a_token(ada: User) -> None:
    pair = signed_in(ada)
    following = tokens.rotate(pair.refresh, request=asked())
    kept = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            kept |= {str(cell) for row in cursor.fetchall() for cell in row if isinstance(cell, str)}
    assert str(RefreshToken.objects.first()).split()[1] in {text[:8] for text in kept}  # the search does look
    for text in kept:
        assert not lives(text)
        with pytest.raises(TokenRefused):
            tokens.rotate(text, request=asked())
    for token in (pair.access, pair.refresh, following.access, following.refresh):
        jti = unpacked(token.split(".")[1])["jti"]
        assert not any(jti in text or token.split(".")[2] in text for text in kept)


def test_what_is_too_old_to_be_believed_is_swept_away(ada: User) -> None:
    old, living = signed_in(ada), signed_in(ada)
    RefreshToken.objects.filter(session=old.session).update(created_at=ago(days=32))
    LoginSession.objects.filter(pk=old.session.pk).update(expires_at=ago(days=91))
    assert tokens.sweep(now=ago()) == 2
    assert [session.pk for session in LoginSession.objects.all()] == [living.session.pk]
    assert RefreshToken.objects.count() == 1


def test_a_token_of_somebody_elses_sign_in_is_worth_nothing(ada: User) -> None:
    bob = User.objects.create_user("bob@example.com")
    session = signed_in(ada).session
    assert lives(forged(session))  # the forging hand writes a right one
    assert not lives(forged(session, sub=str(bob.uuid)))
    assert not lives(forged(signed_in(bob).session, sub=str(ada.uuid)))
