"""Every text of the corpus looks as it should, and grows to it character by character without a step back."""

import random
import re

import pytest

from chat.rendering import LiveBlocks, render
from tests.rendering import corpus
from tests.rendering.allowed import faults
from tests.rendering.corpus import Case

CORPUS = [(path.stem, case) for path in sorted(corpus.CASES.glob("*.md")) for case in corpus.cases(path)]
every_case = pytest.mark.parametrize("case", [pytest.param(case, id=f"{name}: {case.name}") for name, case in CORPUS])


def test_the_corpus_is_large_in_two_languages_and_no_case_is_there_twice() -> None:
    han = [case for _, case in CORPUS if re.search(r"[\u4e00-\u9fff]", case.source)]
    assert len(CORPUS) >= 400
    assert min(len(han), len(CORPUS) - len(han)) >= 150
    assert len({case.source for _, case in CORPUS}) == len(CORPUS) == len({case.name for _, case in CORPUS})
    assert all(case.expected for _, case in CORPUS)


@every_case
def test_a_text_looks_as_expected(case: Case) -> None:
    assert corpus.short(render(case.source)) == case.expected


@every_case
def test_a_text_grows_by_characters_safely_and_without_a_step_back(case: Case) -> None:
    whole = render(case.source)
    assert faults("".join(whole)) == []
    blocks, before = LiveBlocks(), ""
    for count, character in enumerate(case.source, start=1):
        blocks.feed(character)
        assert blocks.closed == whole[: len(blocks.closed)]
        html = blocks.open_html()
        assert html == before or faults(html) == [], case.source[:count]
        before = html
    assert blocks.finish() == whole


@every_case
def test_a_text_in_random_pieces_ends_the_same(case: Case) -> None:
    chance, whole = random.Random(case.name), render(case.source)
    for _ in range(4):
        blocks, start = LiveBlocks(), 0
        while start < len(case.source):
            end = start + chance.choice((1, 2, 3, 7, 30))
            blocks.feed(case.source[start:end])
            assert blocks.closed == whole[: len(blocks.closed)]
            start = end
        assert blocks.finish() == whole


@pytest.mark.parametrize("seed", range(60))
def test_an_answer_of_several_texts_grows_without_a_step_back(seed: int) -> None:
    chance = random.Random(seed)
    text = "".join(case.source + chance.choice(("\n", "\n\n")) for _, case in chance.sample(CORPUS, 8))
    whole, blocks, start = render(text), LiveBlocks(), 0
    while start < len(text):
        end = start + chance.randint(1, 12)
        blocks.feed(text[start:end])
        assert blocks.closed == whole[: len(blocks.closed)]
        assert faults(blocks.open_html()) == []
        start = end
    assert blocks.finish() == whole
    assert faults("".join(whole)) == []


@pytest.mark.parametrize(
    "html",
    [
        *[
            "<script></script>",
            "<p onclick='x'></p>",
            "<p style='x'></p>",
            "<img src='https://e.test'>",
            "<p id='x'></p>",
        ],
        *["<a href='javascript:x'></a>", "<a href='https://e.test'></a>", "<!-- x -->", "<b><i></b></i>", "<p>"],
        *["<math href='x'></math>", "<mo mathcolor='url(x)'></mo>", "<span class='btn'></span>", "<ol start='x'></ol>"],
    ],
)
def test_the_checker_sees_a_planted_fault(html: str) -> None:
    assert faults(html)
