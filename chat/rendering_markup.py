"""One block of Markdown to safe HTML: parser, writer, and the sanitiser that has the last word.

Refuses raw HTML, and Markdown that would take long: that is shown as it is written.
"""

import html
import re
from collections.abc import Sequence
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from chat import rendering_inline, rendering_math
from chat.rendering_code import CODE_CLASSES, code_html
from chat.rendering_tex import CLASSES

MAX_WORK = 150_000
"""Estimated microseconds for one block (see `work`); above it the block is shown plain."""
MAX_LIVE = 24_000
"""Characters of an unfinished block that are rendered again and again."""

_MARKS = str.maketrans("", "", "*_[]()!`$~<|\\&")
_FENCED = re.compile(r"(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)(?:\n|$)")
_ALIGNED = {"text-align:left": "left", "text-align:center": "center", "text-align:right": "right"}
_FAR = ' class="far"'
_UNSEEN = re.compile("[\ud800-\udfff\u202d\u202e]")
"""Halves of characters, and the overrides that make "exe.jpg" of "gpj.exe"."""

_TAGS = frozenset(
    {"p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol",
     "li", "sub", "sup", "kbd", "mark", "u", "a", "span", "div", "header", "table", "thead", "tbody", "tr", "th", "td"}
)  # fmt: skip

_CLEANER = nh3.Cleaner(
    tags={*rendering_math.MATH_TAGS, *_TAGS},
    clean_content_tags={"script", "style"},
    attributes={
        "a": {"href"},
        "ol": {"start"},
        **{tag: set(rendering_math.MATH_ATTRIBUTES) for tag in rendering_math.MATH_TAGS},
    },
    tag_attribute_values={"pre": {"tabindex": {"0"}}, "div": {"tabindex": {"0"}}},
    allowed_classes={
        "span": {*CODE_CLASSES, "lang", "host", "tick"},
        "div": {"code", "wide", "math"},
        "pre": {"plain"},
        "a": {"picture"},
        "li": {"task"},
        "ol": {"far"},
        "mrow": set(CLASSES),
        "mstyle": set(CLASSES),
        "em": {"dots"},
        "th": {"left", "center", "right"},
        "td": {"left", "center", "right"},
    },
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes=set(rendering_inline.SCHEMES),
    url_relative="deny",
)


def block_html(source: str, *, plain: bool = False, live: bool = False) -> str:
    """HTML of one top-level block.

    `live` is for a block that is still being written: no colours, no bare addresses, and plain when it is long.
    """
    if _UNSEEN.search(source):
        source = _UNSEEN.sub("\ufffd", source)
    if plain:
        return plain_html(source)
    fenced = _FENCED.match(source)
    if fenced and "`" not in fenced["info"].replace("~", "`" if fenced["fence"][0] == "`" else "~"):
        return _fence_html(source, fenced, live=live)
    if work(source) > MAX_WORK or (live and len(source) > MAX_LIVE):
        return plain_html(source)
    found = _CLEANER.clean(_parser(live=live, references=True).render(source))
    # A block of nothing but reference definitions would vanish: what the model wrote is always shown.
    return found or _CLEANER.clean(_parser(live=live, references=False).render(source))


def plain_html(source: str) -> str:
    """The source as it is written."""
    return f'<pre class="plain">{html.escape(source, quote=False)}</pre>\n'


def work(source: str) -> int:
    """Estimated microseconds to render this block, from counts that take no time."""
    marks = len(source) - len(source.translate(_MARKS))
    lines = source.count("\n") + 1
    cells = 0
    if "|" in source:
        # Short rows are filled up to the header's columns.
        cells = lines * max(line.count("|") for line in source.split("\n", 2)[:2])
    return len(source) // 2 + 30 * lines + 12 * marks + 10 * cells


def _fence_html(source: str, fenced: re.Match[str], *, live: bool) -> str:
    """A block that is one fence, without the parser (which would walk through every character)."""
    body = source[fenced.end() :]
    if not body.endswith("\n") and body:
        last = body.rpartition("\n")[2]
        mark = last.strip(" \t")
        if len(mark) >= len(fenced["fence"]) and not mark.strip(fenced["fence"][0]) and not last.startswith("    "):
            body = body[: len(body) - len(last)]
        else:
            body += "\n"
    return _CLEANER.clean(code_html(body, info=html.unescape(fenced["info"].strip()), colours=not live))


@cache
def _parser(*, live: bool, references: bool) -> MarkdownIt:
    md = rendering_inline.Reader("commonmark", {"html": False, "breaks": True, "maxNesting": 60}, renderer_cls=Writer)
    rendering_inline.install(md, addresses=not live)
    md.enable(["table", "strikethrough"])
    rendering_math.install(md)
    md.core.ruler.push("tasks", _tasks)
    if not references:
        md.disable("reference")
    md.options["colours"] = not live
    return md


def _tasks(state: StateCore) -> None:
    """Core rule: `[ ]` and `[x]` at the start of an item become a box, a character that copies and prints."""
    tokens = state.tokens
    for item, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type != "list_item_open" or paragraph.type != "paragraph_open" or not inline.children:
            continue
        first = inline.children[0]
        if first.type == "text" and first.content[:4] in ("[ ] ", "[x] ", "[X] "):
            item.attrSet("class", "task")
            box = Token("tick", "", 0)
            box.content = "☐" if first.content[1] == " " else "☑"
            first.content = first.content[3:]
            inline.children.insert(0, box)


class Writer(RendererHTML):
    """How our own tokens, and those that look different here, are written."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A fenced code block inside a list or a quote."""
        info = html.unescape(tokens[idx].info.strip())
        return code_html(tokens[idx].content, info=info, colours=bool(options.get("colours")))

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Indented code."""
        return code_html(tokens[idx].content, info="", colours=False)

    def math_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A formula in a line."""
        token = tokens[idx]
        found = rendering_math.mathml(token.content, display=bool(token.meta["display"]))
        return found or f"<code>{html.escape(token.markup, quote=False)}</code>"

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A formula of its own; its source when it is unfinished or not understood."""
        token = tokens[idx]
        found = rendering_math.mathml(token.content, display=True)
        if found:
            return f'<div class="math" tabindex="0">{found}</div>\n'
        return f'<pre tabindex="0"><code>{html.escape(token.markup, quote=False)}</code></pre>\n'

    def ordered_list_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A list; where its numbers are long, as in "2024. ", they need more room."""
        start = tokens[idx].attrs.get("start")
        return f'<ol start="{start}"{_FAR if int(start) > 99 else ""}>\n' if start is not None else "<ol>\n"

    def tick(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """The box of a task."""
        return f'<span class="tick">{tokens[idx].content}</span>'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A wide table scrolls in a box of its own, reachable by keyboard."""
        return '<div class="wide" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Closes the box too."""
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A cell with its alignment as a class: the page's policy allows no style."""
        token = tokens[idx]
        side = _ALIGNED.get(str(token.attrs.get("style", "")))
        return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"

    td_open = th_open
