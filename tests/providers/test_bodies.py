"""Further fields of a body and modes: what is taken, what is refused and why, what a model makes of them."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from providers import bodies, modes
from providers.models import LanguageModel


@pytest.mark.parametrize("text", ["", "  \n", "{}"])
def test_nothing_written_is_no_fields(text: str) -> None:
    assert bodies.parse(text) == {}


def test_an_object_is_taken_as_it_is() -> None:
    given = {"temperature": 0.2, "thinking": {"type": "enabled", "budget": 2048}, "stop": ["。", "\n"], "safe": None}
    assert bodies.parse(json.dumps(given)) == given
    assert json.loads(bodies.written(given)) == given


@pytest.mark.parametrize("name", sorted(bodies.RESERVED | bodies.NOT_READ))
def test_what_is_the_portals_own_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        bodies.parse(json.dumps({"temperature": 0, name: 1}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "JSON object"),
        ('"x"', "JSON object"),
        ("{", "line 1, place 2"),
        ('{"a": NaN}', "no JSON"),
        ('{"a": Infinity}', "no JSON"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 99999999999999999999}', "too large"),
        ('{"a": 1, "a": 2}', "stands there twice"),
        ('{"a": "\\u0000"}', "can't be stored"),
        ('{"\\ud800": 1}', "can't be stored"),
        (json.dumps({str(n): n for n in range(31)}), "30 fields"),
        ('{"a": [[[[[1]]]]]}', "five objects"),
        ("{" + " " * 4000 + "}", "4,000"),
        ("[" * 3000, "JSON"),
    ],
)
def test_what_no_provider_could_be_sent_is_refused_with_a_word(text: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        bodies.parse(text)
    assert says in str(refused.value.messages[0])


def model(**fields: object) -> LanguageModel:
    ways = [
        {"key": "quick", "name": "Quick", "chinese": "快速", "body": {"think": False}},
        {"key": "deep", "name": "Deep", "body": {"think": True, "temperature": 0}, "answer_tokens": 9000},
    ]
    return LanguageModel(body={"temperature": 1}, modes=ways, answer_tokens=4096, **fields)


def test_a_mode_stands_over_the_models_own_fields_and_one_that_is_gone_adds_nothing() -> None:
    assert modes.body(model(), "deep") == {"temperature": 0, "think": True}
    assert modes.body(model(), "quick") == {"temperature": 1, "think": False}
    assert modes.body(model(), "gone") == modes.body(model(), "") == {"temperature": 1}


def test_the_first_mode_is_the_usual_one_until_another_is_remembered() -> None:
    assert modes.usual(model()) == "quick"
    assert modes.usual(model(), "deep") == "deep"
    assert modes.usual(model(), "gone") == "quick"
    assert modes.usual(LanguageModel(), "deep") == ""


def test_a_mode_may_have_another_usual_answer() -> None:
    assert [modes.answer_tokens(model(), key) for key in ("quick", "deep", "")] == [4096, 9000, 4096]


def test_a_mode_is_called_by_its_name_in_the_readers_language() -> None:
    with translation.override("zh-hans"):
        assert [mode.label for mode in modes.of(model())] == ["快速", "Deep"]
    with translation.override("en"):
        assert [mode.label for mode in modes.of(model())] == ["Quick", "Deep"]


@pytest.mark.parametrize("row", [1, {}, {"key": "A B", "name": "x"}, {"key": "a", "name": ""}, {"name": "x"}, None])
def test_what_cannot_be_read_is_no_mode(row: object) -> None:
    assert modes.of(LanguageModel(modes=[row])) == []
    assert modes.of(LanguageModel(modes=row)) == []


def test_keys_are_made_from_names_and_never_twice() -> None:
    assert modes.new_key("Deep thought", taken=set()) == "deep-thought"
    assert modes.new_key("Deep", taken={"deep"}) not in ("deep", "")
    assert modes.new_key("深入", taken=set()).startswith("mode-")
