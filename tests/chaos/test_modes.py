"""Every chaos mode against real processes: each ends in its declared state, with its text and its words.

Each mode has a provider of its own (all at the same simulator), so that one's circuit is not another's; the circuit has a test by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from providers.simulator import journal as bills
from providers.simulator.answers import text_for
from providers.simulator.modes import MODES, STRIKES_AT
from tests.chaos.conftest import MakeSite, end
from tests.chaos.journals import OVER, READ
from tests.chaos.scene import QUICK
from tests.processes import Person, Site

pytestmark = pytest.mark.chaos
PEOPLE = 8
TOKENS = 40
# Limits that leave a busy machine some room; the deadline is what `drip` waits for.
LIMITS = {"CONNECT_S": "3", "FIRST_BYTE_S": "5", "GAP_S": "4", "DEADLINE_S": "16", "RETRY_SCALE": "0.3"}
MAKE_MODELS = """
from providers.models import LanguageModel, ModelRoute, Provider
for name in given["names"]:
    provider = Provider.objects.create(name=f"p-{name}", base_url=given["url"])
    model = LanguageModel.objects.create(slug=f"mode-{name}", name=name, enabled=True, position=1000)
    ModelRoute.objects.create(model=model, provider=provider, upstream_name="demo")
"""
# What the person reads: the words of the page's table, their weight, and what they can do.
CUT = "The answer is not finished: "
KEPT = " What was written is kept; it and your question count."
WORDS: dict[str, tuple[str, str, list[str]]] = {
    "cut_off": (CUT + "the connection to the provider was lost." + KEPT, "half", ["continue", "regenerate"]),
    "server_error/cut": (CUT + "the connection to the provider was lost." + KEPT, "half", ["continue", "regenerate"]),
    "stalled": (CUT + "the provider stopped sending." + KEPT, "half", ["continue", "regenerate"]),
    "deadline": (CUT + "the provider stopped sending." + KEPT, "half", ["continue", "regenerate"]),
    "bad_stream": (CUT + "the provider sent something that could not be read." + KEPT, "half", ["continue", "regenerate"]),
    "too_large/cut": (CUT + "it became too large." + KEPT, "half", ["continue", "regenerate"]),
    "length": ("The answer reached its length limit.", "cut", ["continue"]),
    "content_filter/done": (
        "The provider's content filter stopped this answer. You can reword the question.", "cut", ["edit"],
    ),
    "first_byte_timeout": ("The model did not begin to answer in time.", "bad", ["retry", "other_model"]),
    "unreachable": ("The model service cannot be reached.", "bad", ["retry", "other_model"]),
    "server_error": ("The model service has a fault.", "bad", ["retry", "other_model"]),
    "not_a_stream": ("The provider's address answers, but not as a model does.", "bad", ["retry", "other_model"]),
    "too_large": ("The answer was too large.", "bad", ["retry", "other_model"]),
    "rate_limit": ("The model is busy.", "bad", ["retry", "other_model"]),
    "no_credit": ("The organisation's account with the provider has no credit.", "bad", ["other_model"]),
    "redirect": ("The provider's address leads elsewhere.", "bad", ["other_model"]),
    "bad_request": ("The provider refused the question.", "bad", ["other_model"]),
    "context_too_long": ("The conversation is too long for this model.", "bad", ["other_model"]),
    "content_filter": ("The provider's content filter refused the question.", "bad", ["edit"]),
    "bad_key": ("The model is not set up correctly.", "bad", ["other_model"]),
    "model_gone": ("This model is not available any more.", "bad", ["other_model"]),
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """One mode's end as everybody saw it: the reader's last poll, the row, the bill."""

    poll: dict[str, Any]
    row: dict[str, Any]
    hits: int


def ask_every_mode(site: Site) -> dict[str, dict[str, Any]]:
    """All modes at once, over a few people; returns the last poll of each."""
    site.django(MAKE_MODELS, {"names": list(MODES), "url": site.environment["SIMULATOR_URL"]})
    people = site.people(PEOPLE)
    names = list(MODES)

    def ask(number: int, person: Person) -> list[tuple[str, dict[str, Any]]]:
        caller = site.caller(person)
        mine = names[number::PEOPLE]
        sent = {
            name: caller.send(f"[[sim seed={name} n={TOKENS} gap=5 mode={name}]]", model=f"mode-{name}")
            for name in mine
        }
        return [(name, caller.until_ended(sent[name], within=60)) for name in mine]

    with ThreadPoolExecutor(PEOPLE) as pool:
        return dict(pair for pairs in pool.map(ask, range(PEOPLE), people) for pair in pairs)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    """Every mode, asked once."""
    site = Site(tmp_path_factory.mktemp("modes") / "site", settings=QUICK | LIMITS)
    try:
        site.start()
        polls = ask_every_mode(site)
        rows = {row["question"].split("seed=")[1].split()[0]: row for row in site.django(READ)}
        bill = bills.read(Path(site.journal))
        yield {n: Seen(polls[n], rows[n], sum(entry.seed == n for entry in bill)) for n in MODES}
    finally:
        end(site)


@pytest.mark.parametrize("name", MODES)
def test_each_mode_ends_as_declared(seen: dict[str, Seen], name: str) -> None:
    expect, row = MODES[name].expect, seen[name].row
    assert (row["state"], row["error_kind"], row["finish_reason"]) == (expect.state, expect.kind, expect.finish)
    assert seen[name].poll["state"] == expect.state
    assert 1 <= seen[name].hits <= expect.hits
    assert (row["calls"], row["live"], row["crashes"]) == (1, 0, 0)
    assert row["hold"] in {"settled", "released"}


@pytest.mark.parametrize("name", MODES)
def test_each_mode_leaves_its_text_and_no_other(seen: dict[str, Seen], name: str) -> None:
    expect, text = MODES[name].expect, seen[name].row["text"]
    if expect.text == "odd":
        check_odd(name, text)
        return
    shown = {"whole": TOKENS, "prefix": STRIKES_AT, "none": 0}[expect.text]
    assert text == text_for(name, tokens=shown)


def check_odd(name: str, text: str) -> None:
    whole, prefix = text_for(name, tokens=TOKENS), text_for(name, tokens=STRIKES_AT)
    if name in {"drip", "huge_total"}:
        rest = text.removeprefix(prefix)
        assert text.startswith(prefix) and rest
        word = "much " if name == "huge_total" else " drop "
        again = word * (len(rest) // 5 + 1) if name == "huge_total" else "".join(f" drop {n}" for n in range(500))
        assert again.startswith(rest), (word, rest[:80])
        return
    slipped = {
        "nul": ("", "\ufffd"), "surrogate": ("", "\ufffd"), "rtl": ("\u202e\u2066\u202d",), "zero_width": ("\u200b" * 21_846 * 16,),
    }[name]  # fmt: skip
    assert text in {prefix + odd + whole.removeprefix(prefix) for odd in slipped}


@pytest.mark.parametrize("name", MODES)
def test_each_mode_says_what_happened(seen: dict[str, Seen], name: str) -> None:
    expect, told = MODES[name].expect, seen[name].poll["note"]
    if expect.state == "done" and expect.finish == "stop":
        assert told is None
        return
    kind = expect.kind or expect.finish
    ending = {"interrupted": "cut", "done": "done"}.get(expect.state, "")
    words, level, actions = WORDS.get(f"{kind}/{ending}") or WORDS[kind]
    assert told["text"].startswith(words)
    assert (told["level"], told["actions"], told["kind"]) == (level, actions, kind)


# --- the circuit ---------------------------------------------------------------------------------------------------------

STATE = "from providers.models import ProviderState\nanswer = list(ProviderState.objects.filter(provider__name=given).values())"
MEND = """
from providers.models import ModelRoute
answer = ModelRoute.objects.filter(provider__name="p-storm").update(upstream_name="demo")
"""
BREAK = MEND.replace('"demo"', '"chaos-err503"')


def test_a_storm_opens_the_circuit_which_says_so_and_closes_again(make_site: MakeSite) -> None:
    site = make_site({"RETRY_SCALE": "0.05", "CIRCUIT_PAUSE_S": "4"}).start()
    site.django(MAKE_MODELS, {"names": ["storm"], "url": site.environment["SIMULATOR_URL"]})
    site.django(BREAK)
    person, other = (site.caller(person) for person in site.people(2))
    first = person.until_ended(person.send("[[sim seed=a n=5]]", model="mode-storm"))
    assert (first["state"], first["note"]["kind"]) == ("failed", "server_error")
    second = person.send("[[sim seed=b n=5]]", model="mode-storm")  # its second failure is the fifth in a row
    until = time.monotonic() + 20
    while (state := site.django(STATE, "p-storm"))[0]["circuit"] == "closed":
        assert time.monotonic() < until, state
    hits = len(bills.read(site.journal))
    waiting = person.send("[[sim seed=c n=5]]", model="mode-storm")
    words = read_until(person, waiting, words="Your question waits for it.")
    assert "The model service cannot be reached at the moment." in words
    assert other.until_ended(other.send("[[sim seed=d n=5]]"), within=10)["state"] == "done"  # other models go on
    assert len([e for e in bills.read(site.journal) if e.seed != "d"]) - hits <= 1  # one trial at most, if that
    site.django(MEND)
    assert person.until_ended(waiting, within=40)["state"] == "done"
    assert person.until_ended(second, within=40)["state"] in OVER
    again = person.until_ended(person.send("[[sim seed=e n=5]]", model="mode-storm"))
    assert again["state"] == "done"
    assert site.django(STATE, "p-storm")[0]["circuit"] == "closed"


def read_until(caller: Any, sent: dict[str, Any], *, words: str, within: float = 10) -> str:
    """Polls until the note holds these words; returns it."""
    url, seen_, until, note = sent["poll_url"], 0, time.monotonic() + within, None
    while time.monotonic() < until:
        answer = caller.poll(url, seen=seen_, wait=2)
        seen_, note = answer["seq"], answer["note"] or note
        assert answer["state"] not in OVER, answer
        if note and words in note["text"]:
            return str(note["text"])
    raise AssertionError(f"never said: {words}; at last: {note}")
