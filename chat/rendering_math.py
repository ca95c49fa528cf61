"""Formulas: which text is one, and its MathML.

TeX is turned into an element tree and written out by our own serialiser from a list of known elements, because the
converter leaves what stands in \\text{...} unescaped. Refuses macros of the author, links and styles in formulas.
"""

import html
import re
from dataclasses import dataclass
from functools import lru_cache
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from chat.rendering_tex import CLASSES, arranged, tidied

MATH_LINES = 200
"""Lines after which a formula that has no end is taken as closed, so that it cannot swallow the answer."""
MAX_TEX = 4_000
MAX_BRACES = 40

MATH_TAGS = frozenset(
    {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot", "mstyle", "merror",
     "mpadded", "mphantom", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts",
     "none", "mtable", "mtr", "mtd", "menclose"}
)  # fmt: skip
MATH_ATTRIBUTES = frozenset(
    {"display", "displaystyle", "scriptlevel", "mathvariant", "mathsize", "stretchy", "fence", "form",
     "separator", "symmetric", "largeop", "movablelimits", "accent", "accentunder", "lspace", "rspace", "minsize",
     "maxsize", "width", "height", "depth", "voffset", "linethickness", "columnalign", "rowalign", "columnspacing",
     "rowspacing", "columnlines", "rowlines", "frame", "linebreak"}
)  # fmt: skip

_VALUE = re.compile(r"[\w #.%+-]*")
_CLOSERS = {"$$": "$$", "\\[": "\\]"}
_MATHY = re.compile(r"[\\^_={]")
_AFTER = ".,;:。，；：、 "
_ABORT = re.compile(r"`{3}|~{3}|#{1,6} ")
_PROSE = re.compile(r"[^\W\d_]{3,}[\w\s,.'’-]*$")
"""Words between escaped brackets, as in "\\[sic\\]"."""
_WORDS = re.compile(r"\d[\d.,]*+(?:\s+[^\W\d]|.*(?:[\u3400-\u9fff\uff00-\uff60\u3000-\u303f]|\([A-Za-z]{2}))")
"""A price and what follows it: "5 and ", "5和10", "5 (US"."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The first line of a formula block: what closes it, and whether this line already does."""

    closer: str
    complete: bool


def math_opening(line: str) -> Opening | None:
    """The opening of a display formula, when the line (without its indent) is one."""
    closer = _CLOSERS.get(line[:2])
    if closer is None:
        return None
    rest = line[2:].strip()
    if not rest:
        return Opening(closer, complete=False)
    end = rest.find(closer)
    if end < 0:
        return Opening(closer, complete=False) if _MATHY.search(rest) else None
    if end > 0 and not rest[end + 2 :].strip(_AFTER) and not (closer == "\\]" and _PROSE.match(rest[:end])):
        return Opening(closer, complete=True)
    return None


def math_closes(line: str, closer: str) -> bool:
    """Whether a further line ends the formula."""
    return line.rstrip(_AFTER).endswith(closer)


def math_aborts(line: str, *, lines: int) -> bool:
    """Whether this line cannot belong to a formula, which then never had an end."""
    return lines > MATH_LINES or _ABORT.match(line) is not None


def _body(source: str, closer: str) -> str:
    return source.rstrip(_AFTER + "\n").removesuffix(closer).strip()


def math_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - the parser's signature
    """Block rule for `$$` and `\\[`; what has no end becomes a token without content, shown as source."""
    if state.is_code_block(start):
        return False
    first = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].rstrip()
    opening = math_opening(first)
    if opening is None or silent:
        return opening is not None
    closed = opening.complete
    line = start + 1
    while not closed and line < end:
        blank = state.isEmpty(line)
        if not blank and state.sCount[line] < state.blkIndent:
            break
        content = "" if blank else state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()
        if math_aborts(content, lines=line - start):
            break
        closed = math_closes(content, opening.closer)
        line += 1
    token = state.push("math_block", "", 0)
    token.map = [start, line]
    token.markup = state.getLines(start, line, state.blkIndent, False).strip("\n")
    token.content = _body(token.markup.strip()[2:], opening.closer) if closed else ""
    token.block = True
    state.line = line
    return True


def math_dollar(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's signature
    """Inline `$…$` and `$$…$$`; the first unescaped dollar is the only candidate for the end, so money stays money."""
    source, start = state.src, state.pos
    if source[start] != "$":
        return False
    mark = "$$" if source.startswith("$$", start) else "$"
    before = source[start - 1] if start else ""
    if before == "$" or (mark == "$" and before.isascii() and before.isalnum()):
        return False
    opened = start + len(mark)
    end = source.find(mark, opened, min(state.posMax, opened + MAX_TEX))
    while end > 0 and source[end - 1] == "\\" and source[end - 2] != "\\":
        end = source.find(mark, end + 1, min(state.posMax, opened + MAX_TEX))
    if end <= opened:
        return False
    content = source[opened:end]
    if mark == "$" and not _single_dollars(content, after=source[end + 1 : end + 2]):
        return False
    return _push_inline(state, content, stop=end + len(mark), display=mark == "$$", silent=silent)


def _single_dollars(content: str, *, after: str) -> bool:
    if content[0].isspace() or content[-1].isspace() or "`" in content:
        return False
    if after == "$" or (after.isascii() and after.isalnum()):
        return False
    return bool(_MATHY.search(content)) or not _WORDS.match(content)


def math_brackets(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's signature
    r"""Inline `\(…\)` and `\[…\]`."""
    source, start = state.src, state.pos
    mark = source[start : start + 2]
    if mark not in ("\\(", "\\["):
        return False
    end = source.find("\\)" if mark == "\\(" else "\\]", start + 2, min(state.posMax, start + MAX_TEX))
    if end <= start + 2:
        return False
    content = source[start + 2 : end]
    if mark == "\\[" and _PROSE.match(content):
        return False
    return _push_inline(state, content, stop=end + 2, display=mark == "\\[", silent=silent)


def _push_inline(state: StateInline, content: str, *, stop: int, display: bool, silent: bool) -> bool:
    if not silent:
        token = state.push("math_inline", "", 0)
        token.content = content.strip()
        token.markup = state.src[state.pos : stop]
        token.meta = {"display": display}
    state.pos = stop
    return True


def install(md: MarkdownIt) -> None:
    """Add the rules; their tokens are written by `chat.rendering_markup`."""
    terminates: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    md.block.ruler.before("fence", "math_block", math_block, terminates)
    md.inline.ruler.before("escape", "math_brackets", math_brackets)
    md.inline.ruler.before("escape", "math_dollar", math_dollar)


def _too_deep(tex: str) -> bool:
    depth = 0
    for character in tex:
        depth += (character == "{") - (character == "}")
        if depth > MAX_BRACES:
            return True
    return tex.count("\\left") > MAX_BRACES or tex.count("\\begin") > MAX_BRACES


@lru_cache(maxsize=512)
def mathml(tex: str, *, display: bool) -> str | None:
    """MathML of a formula; None when it cannot be understood (then its source is shown)."""
    if not tex or len(tex) > MAX_TEX or _too_deep(tex):
        return None
    try:
        root = convert_to_element(tidied(tex, display=display), display="block" if display else "inline")
        return _write(arranged(root, display=display))
    except Exception:  # noqa: BLE001 - the converter raises whatever its tables raise; the source is the answer to all
        return None


def _write(element: Element) -> str:
    """The element as text, everything escaped, unknown elements as a row."""
    tag = element.tag if element.tag in MATH_TAGS else "mrow"
    attributes = "".join(
        f' {name}="{html.escape(value)}"'
        for name, value in element.attrib.items()
        if name in MATH_ATTRIBUTES and _VALUE.fullmatch(value)
    )
    text = html.escape(element.text, quote=False) if element.text else ""
    if tag in ("mrow", "mstyle") and element.get("class") in CLASSES:
        attributes += f' class="{element.get("class")}"'
    return f"<{tag}{attributes}>{text}{''.join(map(_write, element))}</{tag}>"
