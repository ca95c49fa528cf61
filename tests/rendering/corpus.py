"""Reads the cases in `cases/*.md` and writes HTML the short way they expect it.

A case is a line `◆ name`, its Markdown, then `◇ html` with the whole result. `⟨U+0000⟩` stands for a character that no
editor shows. Refuses to render anything.
"""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

CASES = Path(__file__).parent / "cases"

_HIDDEN = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")
_MATH = re.compile(r"<math.*?</math>", re.DOTALL)
_PRE = re.compile(r"(<pre.*?</pre>)", re.DOTALL)
_ALWAYS = (' target="_blank" rel="noopener noreferrer nofollow"', ' tabindex="0"')
_BLOCK = r"p|h[1-6]|hr|ul|ol|li|blockquote|div|pre|table|thead|tbody|tr"
_BETWEEN = re.compile(rf"(?<=>)\n?(?=</?(?:{_BLOCK})\b)")


@dataclass(frozen=True, slots=True)
class Case:
    """One text and the HTML that is expected of it, in short."""

    name: str
    source: str
    expected: str


def cases(path: Path) -> list[Case]:
    """The cases of one file, in its order."""
    found = []
    for part in re.split(r"^◆ ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        head, _, expected = part.partition("\n◇ html\n")
        name, _, source = head.partition("\n")
        found.append(Case(name, shown(source), shown(expected.rstrip("\n"))))
    return found


def shown(text: str) -> str:
    """The text with its hidden characters."""
    return _HIDDEN.sub(lambda found: chr(int(found[1], 16)), text)


def hidden(text: str) -> str:
    """The inverse of `shown`, for messages and for new cases."""
    return re.sub(
        "[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", lambda c: f"⟨U+{ord(c[0]):04X}⟩", text
    )


def short(blocks: list[str]) -> str:
    """The HTML of all blocks without what every link and scrolling box has, a formula as `<math>a sup(b,c)</math>`."""
    text = "".join(blocks)
    for attribute in _ALWAYS:
        text = text.replace(attribute, "")
    parts = _PRE.split(_MATH.sub(lambda found: formula(found[0]), text))
    for index in range(0, len(parts), 2):
        parts[index] = parts[index].replace("\n", "")
    text = "".join(parts)
    return re.sub(r"(?<=.)(?=<(?:p|h[1-6]|hr|ul|ol|li|blockquote|div|table|tr|pre class)\b)", "\n", text).rstrip("\n")


def formula(mathml: str) -> str:
    """A formula on one line, rows without brackets."""
    root = fromstring(mathml.replace("&nbsp;", "\u00a0"))
    kind = "<math block>" if root.get("display") == "block" else "<math>"
    return f"{kind}{html.escape(' '.join(map(_linear, root)), quote=False)}</math>"


def _linear(element: Element) -> str:
    inside = " ".join(filter(None, map(_linear, element)))
    if element.get("class"):
        return f"{element.get('class')}({inside})"
    if element.tag == "mrow":
        return inside if len(element) < 2 else f"{{{inside}}}"
    if element.tag in ("mi", "mn", "mo", "mtext"):
        return (element.text or "").strip() if element.tag != "mtext" else f"“{element.text or ''}”"
    return f"{element.tag[1:]}({', '.join(map(_linear, element))})"
