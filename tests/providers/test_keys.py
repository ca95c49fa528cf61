"""Keys at rest."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from providers import keys


def test_a_key_comes_back_and_is_not_readable_in_between() -> None:
    stored = keys.encrypt("sk-canary-1234567890")
    assert "canary" not in stored
    assert keys.decrypt(stored) == "sk-canary-1234567890"
    assert keys.decrypt("") == ""


def test_the_secret_can_be_changed_while_the_old_one_is_a_fallback(settings: Settings) -> None:
    stored = keys.encrypt("sk-one")
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another secret of enough length", [old]
    assert keys.decrypt(stored) == "sk-one"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(keys.UnreadableKey):
        keys.decrypt(stored)


@pytest.mark.parametrize("key", ["", "two words", "ключ", "line\nbreak", "x" * 5000])
def test_what_no_header_can_carry_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        keys.encrypt(key)


@pytest.mark.parametrize(("key", "shown"), [("sk-1234567890ab", "90ab"), ("short", ""), ("", "")])
def test_only_the_last_four_of_a_long_key_are_shown(key: str, shown: str) -> None:
    assert keys.hint(key) == shown
