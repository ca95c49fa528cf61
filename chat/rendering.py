"""Markdown of a model's answer to safe HTML, block by block, the same live and stored.

Every top-level block is rendered by itself from its own source, so a finished block never changes.
Refuses to touch the database, the network and the clock.
"""

import html
import re

from chat.rendering_blocks import Splitter
from chat.rendering_markup import block_html

HTML_VERSION = 2
"""Raise it whenever the same text gives other HTML: stored HTML of an older version is made anew."""

_FENCE_LINE = re.compile(r"^ {0,3}(?:`{3,}|~{3,})[^\n]*$", re.MULTILINE)
_LINE_MARKS = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-+*][ \t]+|\d{1,9}[.)][ \t]+|[-=|: \t]{3,}$)+", re.MULTILINE)
_TARGET = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,2000}(?:[ \t]+\"[^\"\n]{0,200}\")?\)")
_EMPHASIS = re.compile(r"\*\*+|(?<![\d\s])\*|\*(?![\d\s])|~~|`+|(?<!\w)_+|_+(?!\w)|\\(?=[^\w\s])|<br ?/?>")
_SPACE = re.compile(r"\s+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_WORD = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u052f]+")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://[!-~]+", re.DOTALL)
_SAMPLE = 8_000


class LiveBlocks:
    """The blocks of a text that is still being written.

    What is closed depends on the text so far only, not on how it came in pieces. The cost of `feed` grows with the
    text fed, not with the text so far.
    """

    def __init__(self) -> None:
        self.closed: list[str] = []
        """HTML of the finished blocks; only ever grows."""
        self._splitter = Splitter()
        self._partial: list[str] = []
        self._held = ""
        self._finished = False

    def feed(self, text: str) -> None:
        """Append a piece of any size; raises RuntimeError after `finish`."""
        if self._finished:
            raise RuntimeError("the text has been finished")
        text = self._held + text
        # "\r\n" may be cut in the middle: a "\r" at the end waits for what follows it.
        self._held = "\r" if text.endswith("\r") else ""
        self._take(text[: len(text) - len(self._held)])

    def _take(self, text: str) -> None:
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        *lines, rest = text.split("\n")
        for line in lines:
            self._partial.append(line)
            self._splitter.push("".join(self._partial))
            self._partial.clear()
        if rest:
            self._partial.append(rest)
        self._collect()

    def _collect(self) -> None:
        for block in self._splitter.done:
            self.closed.append(block_html(block.source, plain=block.plain))
        self._splitter.done.clear()

    @property
    def open_source(self) -> str:
        """Source of the block that is being written, "" between blocks."""
        return "\n".join([*self._splitter.lines, "".join(self._partial)])

    def open_html(self) -> str:
        """The open block as it stands, cheaply: no colours, no bare addresses; "" when there is none."""
        source = self.open_source
        return block_html(source, plain=self._splitter.open_is_plain, live=True) if source.strip() else ""

    def finish(self) -> list[str]:
        """The text ends here: HTML of all blocks, equal to `render` of the whole text."""
        if not self._finished:
            self._finished = True
            self._take(self._held)
            if self._partial:
                self._splitter.push("".join(self._partial))
                self._partial.clear()
            self._splitter.finish()
            self._collect()
        return self.closed


def render(text: str) -> list[str]:
    """Safe HTML of each top-level block of a finished text, in order."""
    blocks = LiveBlocks()
    blocks.feed(text)
    return blocks.finish()


def plain(text: str) -> str:
    """The words without Markdown's marks, on one line: for titles, snippets, notifications. Not HTML: escape it."""
    text = _FENCE_LINE.sub(" ", text)
    text = _LINE_MARKS.sub("", text)
    text = _EMPHASIS.sub("", _TARGET.sub(r"\1", text))
    return _SPACE.sub(" ", html.unescape(text)).strip()


def language_of(text: str) -> str:
    """The `lang` of a text: "zh-Hans" when it is mostly Chinese, else "" (the page's own holds). Code is left out."""
    sample = _CODE.sub(" ", text[:_SAMPLE])
    han = len(_HAN.findall(sample))
    if not han or len(_KANA_OR_HANGUL.findall(sample)) * 5 > han:
        return ""
    # A Chinese word has about two characters.
    return "zh-Hans" if han >= 2 * len(_WORD.findall(sample)) else ""
