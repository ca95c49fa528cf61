"""What the simulator says: pure functions of a seed. No clock, no sockets, no state."""

import random
from collections.abc import Iterable

# Characters of one to four bytes, so that every whole answer also tries the decoding of its reader.
# Nothing here means anything in Markdown: the text that was sent is the text that is read.
_WORDS = (
    "river stone light quiet table window seven paper garden signal matter simple answer little number follow "
    "between under copper winter bridge letter motion corner weight travel listen carbon market planet silver "
    "forest engine island mirror pocket ticket valley yellow naïve café résumé Zürich piñata Ωmega живой мысль "
    "答案 河流 安静的 光 桥 数字 窗户 こたえ 답 🙂 🌿 𝔘nit"
)
WORDS = tuple(_WORDS.split())
DEFAULT_TOKENS = 40


def tokens_for(seed: str, *, tokens: int = DEFAULT_TOKENS) -> list[str]:
    """The first `tokens` tokens of the answer for this seed; a shorter list is always a prefix of a longer one."""
    draw = random.Random(f"answer:{seed}").random  # noqa: S311  # repeatable, not secret
    found: list[str] = []
    fresh, paragraph = True, False
    for place in range(tokens):
        word = WORDS[int(draw() * len(WORDS))]
        if fresh:
            word = word[0].upper() + word[1:]
        elif place % 10 == 9:
            word = str(place)  # a lost or doubled stretch shows at a glance
        stop, leap = draw() < 0.12, draw() < 0.25
        lead = "" if place == 0 else "\n\n" if paragraph else " "
        found.append(lead + word + ("." if stop else ""))
        fresh, paragraph = stop, stop and leap
    return found


def text_for(seed: str, *, tokens: int = DEFAULT_TOKENS) -> str:
    """The whole answer for this seed, exactly as the content deltas add up to it."""
    return "".join(tokens_for(seed, tokens=tokens))


def reasoning_for(seed: str) -> list[str]:
    """The tokens that the reasoning modes send apart from the answer."""
    return tokens_for(f"{seed}/reasoning", tokens=12)


def prompt_tokens(texts: Iterable[str]) -> int:
    """What the simulator bills for these message texts: 4 per message and one per 4 bytes of UTF-8, rounded up."""
    return sum(4 + (len(text.encode("utf-8", "replace")) + 3) // 4 for text in texts)
