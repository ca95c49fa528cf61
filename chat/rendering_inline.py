"""What we change inside a line of Markdown: emphasis beside Chinese, bare addresses, links, pictures,
`<br>` and a few small tags.

Refuses to load anything: a picture becomes a link to it. Only http, https and mailto are links at all.
"""

import html
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

SCHEMES = frozenset({"http", "https", "mailto"})

_HAN = "\u2e80-\u2fdf\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_CJK_MARKS = "\u3000-\u303f\uff00-\uff60\uffe0-\uffef\u2018-\u201f\u2026\u2014\u00b7"
_CJK = re.compile(f"[{_HAN}{_CJK_MARKS}\U00020000-\U0003ffff]")
_ADDRESS = re.compile(
    rf"(?<![\w@./:-])(?:https?://|www\.(?=\w))[\w.:@\[\]-][^\s<>\"`|{_CJK_MARKS}]{{0,2000}}"
    r"|(?<![\w@./:+-])[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24}\b",
    re.IGNORECASE | re.ASCII,
)
_HAN_AFTER_ASCII = re.compile(rf"(?<=[A-Za-z0-9])[{_HAN}]")
_PYTHON_NAME = re.compile(
    "__(?:all|annotations|bool|call|class|contains|del|dict|doc|enter|eq|exit|file|future|getattr|getitem|hash|import|init"
    "|iter|len|main|module|name|new|next|post_init|pycache|repr|setattr|setitem|slots|str|version|dirname|filename|proto)__"
)
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_LABEL_ENDS = frozenset(":.!?;)%")
_RAISED = re.compile(r"<(sub|sup|kbd|mark|u)>([^<>\n]{1,200})</\1>")
_LOOKS_LIKE_HOST = re.compile(r"(?:https?://)?(?:[\w-]+\.)+[a-z]{2,}(?:[/:?#]|$)", re.IGNORECASE)


class CjkInlineState(StateInline):
    """Emphasis marks open and close beside Chinese as people write it, without a space."""

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: FBT001 - the parser's own signature
        """CommonMark's flanking rule, where Chinese beside the run counts like a space beside punctuation."""
        scanned = super().scanDelims(start, canSplitWord)
        if self.src[start] == "_" and scanned.length == 2 and self._in_python_name(start):
            return Scanned(False, False, 2)
        before = self.src[start - 1] if start else " "
        end = start + scanned.length
        after = self.src[end] if end < self.posMax else " "
        if not _CJK.match(before) and not _CJK.match(after):
            return self._latin(scanned, start=start, before=before, after=after)
        left, right = not isWhiteSpace(ord(after)), not isWhiteSpace(ord(before))
        return Scanned(
            left and (canSplitWord or not right or _punctuation(before)),
            right and (canSplitWord or not left or _punctuation(after)),
            scanned.length,
        )

    def _in_python_name(self, start: int) -> bool:
        """Whether these two underscores belong to a name such as "__init__"."""
        opening = self.src.rfind("__", max(0, start - 20), start)
        return any(place >= 0 and _PYTHON_NAME.match(self.src, place) for place in (start, opening))

    def _latin(self, scanned: Scanned, *, start: int, before: str, after: str) -> Scanned:
        """CommonMark's rule but for products ("2*3", "a*b"), powers ("x**2") and labels ("**Note:**read")."""
        if self.src[start] != "*" or not after.isascii() or not after.isalnum():
            return scanned
        if scanned.length == 2 and before in _LABEL_ENDS:
            return Scanned(scanned.can_open, True, 2)
        if not before.isascii() or not before.isalnum():
            return scanned
        if scanned.length == 2 and after.isdigit():
            return Scanned(False, scanned.can_close, 2)
        single = start < 2 or not self.src[start - 2].isalnum()
        if scanned.length == 1 and (before.isdigit() or after.isdigit() or single):
            return Scanned(False, False, 1)
        return scanned


def _punctuation(character: str) -> bool:
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)


class CjkParserInline(ParserInline):
    """The inline parser with the state above."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """As the parent's, with our state."""
        state = CjkInlineState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def line_break(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's own signature
    """`<br>`, the only tag that is understood: tables have no other way to break a line."""
    found = _BREAK.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def small_tags(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's own signature
    """The few tags that models write in prose for want of Markdown: H<sub>2</sub>O, <kbd>Esc</kbd>; words inside."""
    found = _RAISED.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("small_open", found[1], 1)
        state.push("text", "", 0).content = html.unescape(found[2])
        state.push("small_close", found[1], -1)
    state.pos = found.end()
    return True


def links_and_pictures(state: StateCore) -> None:
    """Core rule: only allowed schemes stay links, pictures become links, a link never hides another host."""
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = list(_checked(token.children))


def _checked(children: list[Token]) -> Iterator[Token]:
    href: str | None = None
    inside = False
    words: list[str] = []
    for token in children:
        if token.type == "link_open":
            inside, words = True, []
            href = allowed(str(token.attrs.get("href", "")))
            if href:
                yield _opening(href)
        elif token.type == "link_close":
            inside = False
            if href:
                yield token
                yield from _true_host("".join(words), href=href)
        elif token.type == "image":
            words.append(token.content)
            yield from _picture(token, inside=inside)
        else:
            words.append(token.content)
            yield token


def allowed(address: str) -> str | None:
    """The address when it may be a link, else None."""
    return address if address.partition(":")[0].lower() in SCHEMES and ":" in address else None


def host_of(address: str) -> str:
    """Host of an address in lower case, "" when it has none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _opening(href: str) -> Token:
    token = Token("link_open", "a", 1)
    token.attrs = {"href": href}
    return token


def _plain_text(content: str) -> Token:
    token = Token("text", "", 0)
    token.content = content
    return token


def _marked_host(host: str) -> list[Token]:
    opening = Token("host_open", "span", 1)
    opening.attrs = {"class": "host"}
    return [_plain_text(" "), opening, _plain_text(f"({host})"), Token("host_close", "span", -1)]


def _true_host(words: str, *, href: str) -> list[Token]:
    """The real host behind a link whose words look like another one."""
    said = words.strip()
    host = host_of(href)
    if not host or not _LOOKS_LIKE_HOST.match(said):
        return []
    shown = host_of(said if "//" in said else f"https://{said}")
    return [] if shown.removeprefix("www.") == host.removeprefix("www.") else _marked_host(host)


def _picture(token: Token, *, inside: bool) -> Iterator[Token]:
    address = allowed(str(token.attrs.get("src", "")))
    host = host_of(address) if address else ""
    if inside or not address or not host:
        if token.content:
            yield _plain_text(token.content)
        return
    opening = _opening(address)
    opening.attrs["class"] = "picture"
    yield opening
    if token.content:
        yield _plain_text(token.content)
    yield from _marked_host(host)[0 if token.content else 1 :]
    yield Token("link_close", "a", -1)


def dotted_emphasis(state: StateCore) -> None:
    """Core rule: emphasis that holds Chinese gets a class, since it is not slanted but dotted."""
    for token in state.tokens:
        opened: list[Token] = []
        for child in token.children or ():
            if child.type == "em_open":
                opened.append(child)
            elif child.type == "em_close" and opened:
                inner = opened.pop()
                if opened and inner.attrs:
                    opened[-1].attrSet("class", "dots")
            elif opened and not opened[-1].attrs and _HAN_CHARACTER.search(child.content):
                opened[-1].attrSet("class", "dots")


def bare_addresses(state: StateCore) -> None:
    """Core rule: addresses in running text become links; they end before Chinese punctuation."""
    for token in state.tokens:
        if token.type != "inline" or not token.children or not _ADDRESS.search(token.content):
            continue
        children: list[Token] = []
        depth = 0
        for child in token.children:
            depth += (child.type == "link_open") - (child.type == "link_close")
            if child.type == "text" and not depth:
                children.extend(_linked(child))
            else:
                children.append(child)
        token.children = children


def _linked(token: Token) -> Iterator[Token]:
    text, last = token.content, 0
    for found in _ADDRESS.finditer(text):
        words = _trimmed(found[0])
        prefix = "" if "://" in words[:8] else "mailto:" if "@" in words and words[:4].lower() != "www." else "https://"
        href = prefix + words
        if prefix != "mailto:" and not host_of(href):
            continue
        yield _plain_text(text[last : found.start()])
        yield _opening(href)
        yield _plain_text(words)
        yield Token("link_close", "a", -1)
        last = found.start() + len(words)
    yield _plain_text(text[last:]) if last else token


def _trimmed(address: str) -> str:
    """Without what belongs to the sentence: closing marks, an unopened bracket, Chinese words that follow."""
    if found := _HAN_AFTER_ASCII.search(address):
        address = address[: found.start()]
    while address:
        last = address[-1]
        unopened = last in ")]}" and address.count(last) > address.count({")": "(", "]": "[", "}": "{"}[last])
        if last not in ".,;:!?'*_~" and not unopened:
            break
        address = address[:-1]
    return address


class Reader(MarkdownIt):
    """The parser; which links stay is decided above, where what is refused can still be shown as words."""

    def validateLink(self, url: str) -> bool:
        """Every address is read as a link first."""
        return True


def install(md: MarkdownIt, *, addresses: bool) -> None:
    """Put the rules into a parser; `addresses` off for text that is still being written."""
    inline = CjkParserInline()
    md.inline = inline
    inline.ruler.before("autolink", "line_break", line_break)
    inline.ruler.before("autolink", "small_tags", small_tags)
    if addresses:
        md.core.ruler.after("inline", "bare_addresses", bare_addresses)
    md.core.ruler.push("links_and_pictures", links_and_pictures)
    md.core.ruler.push("dotted_emphasis", dotted_emphasis)
