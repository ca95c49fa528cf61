"""What HTML of an answer may hold, written down a second time, so that a mistake in the sanitiser's list is seen.

Refuses to import the renderer.
"""

import re
from html.parser import HTMLParser

TEXT = frozenset(
    {"p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote",
     "ul", "ol", "li", "a", "span", "div", "header", "table", "thead", "tbody", "tr", "th", "td", "sub",
     "sup", "kbd", "mark", "u"}
)  # fmt: skip
MATH = frozenset(
    {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "mstyle", "mpadded",
     "mphantom", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts",
     "none", "mtable", "mtr", "mtd", "menclose"}
)  # fmt: skip
MATH_ATTRIBUTES = frozenset(
    {"display", "displaystyle", "scriptlevel", "mathvariant", "mathsize", "stretchy", "fence",
     "form", "separator", "symmetric", "largeop", "movablelimits", "accent", "accentunder", "lspace",
     "rspace", "minsize", "maxsize", "width", "height", "depth", "voffset", "linethickness", "columnalign",
     "rowalign", "columnspacing", "rowspacing", "columnlines", "rowlines", "frame", "linebreak"}
)  # fmt: skip
CLASSES = frozenset(
    {"k", "s", "f", "c", "m", "gi", "gd", "lang", "host", "tick", "code", "wide", "math", "plain", "picture",
     "task", "far", "dots", "left", "center", "right"}
)  # fmt: skip
LINK = {"target": "_blank", "rel": "noopener noreferrer nofollow"}
_VALUE = re.compile(r"[\w #.%+-]*")
_VOID = frozenset({"br", "hr"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TEXT | MATH:
            self.faults.append(f"<{tag}>")
        self.faults += [
            f"<{tag} {name}={value}>" for name, value in attrs if not _fine(tag, name=name, value=value or "")
        ]
        if tag == "a" and not LINK.items() <= dict(attrs).items():
            self.faults.append(f"<a> without {LINK}")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> out of place")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"<![{data}>")


def _fine(tag: str, *, name: str, value: str) -> bool:
    if tag in ("mrow", "mstyle") and name == "class":
        return value in {"boxed", "over", "under", "struck", "red", "blue", "green", "orange", "purple"}
    if tag in MATH:
        return name in MATH_ATTRIBUTES and bool(_VALUE.fullmatch(value))
    if name == "class":
        return value in CLASSES
    if tag == "a":
        return bool(re.match("(?:https?://|mailto:)", value)) if name == "href" else name in LINK
    if tag == "ol":
        return name == "start" and value.isdigit()
    return tag in ("pre", "div") and (name, value) == ("tabindex", "0")


def faults(html: str) -> list[str]:
    """Everything in this HTML that may not be there, tags out of place included."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.faults + [f"<{tag}> never closed" for tag in reader.open]
