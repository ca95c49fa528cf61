"""TeX as models write it, put the way the converter reads it, and its result the way browsers draw it.

Refuses to guess what an unknown command means: such a formula is not understood.
"""

import html
import re
from xml.etree.ElementTree import Element

_ENVIRONMENTS = {"aligned": "split", "alignedat": "split", "align": "split", "align*": "split", "gathered": "matrix", "gather": "matrix",
                 "gather*": "matrix", "equation": "matrix", "equation*": "matrix", "multline": "matrix",
                 "multline*": "matrix", "dcases": "cases"}  # fmt: skip
_ENVIRONMENT = re.compile(r"\\(begin|end)\{([a-z]+\*?)\}")
_ROWS = {"\\begin{eqnarray}": "\\begin{array}{rcl}", "\\begin{eqnarray*}": "\\begin{array}{rcl}",
         "\\end{eqnarray}": "\\end{array}", "\\end{eqnarray*}": "\\end{array}"}  # fmt: skip
_NUMBER = re.compile(r"\\tag\*?\s*\{([^{}]*)\}")
_SILENT = re.compile(r"\\label\s*\{[^{}]*\}|\\(?:nonumber|notag)(?![A-Za-z])")
_NAMED = re.compile(r"\\arg(?![A-Za-z])")
_STARRED = re.compile(r"\\operatorname\s*\*")
_NOT_EQUAL = re.compile(r"\\not\s*=")

_UNKNOWN = re.compile(r"\\[A-Za-z]")
_BELOW = frozenset({"lim", "max", "min", "sup", "inf", "limsup", "liminf", "argmax", "argmin", "det", "gcd", "Pr"})
_SHAPES = {"~": "\u223c", "\u27c2": "\u22a5"}
"""Operators for which the converter takes a character that fonts draw as something else."""
_BAR = "\u2015"
_FRAMES = {"box": "boxed", "top": "over", "bottom": "under"}
_COLOURS = frozenset({"red", "blue", "green", "orange", "purple"})
_COLOUR = re.compile(r"\\color\s*\{(\w+)\}\s*\{")
CLASSES = frozenset({"boxed", "over", "under", "struck"}) | _COLOURS
"""Classes for what no browser draws alike, and for colours, which must be readable in both themes: the page draws it."""


class UnknownTexError(ValueError):
    """The formula holds a command that the converter does not know."""


def tidied(tex: str, *, display: bool) -> str:
    """The same formula in the commands that the converter knows."""
    for old, new in _ROWS.items():
        tex = tex.replace(old, new)
    tex = _SILENT.sub("", _NUMBER.sub(r"\\qquad \\text{(\1)}", tex))
    tex = _STARRED.sub(r"\\operatorname", _NAMED.sub(r"\\operatorname{arg}", tex))
    tex = _COLOUR.sub(r"\\textcolor{\1}{", _NOT_EQUAL.sub(r"\\neq ", tex))
    if display and "\\\\" in tex and "\\begin" not in tex and "\\substack" not in tex:
        name = "split" if "&" in tex else "matrix"
        return f"\\begin{{{name}}}{tex}\\end{{{name}}}"
    return _ENVIRONMENT.sub(lambda found: f"\\{found[1]}{{{_ENVIRONMENTS.get(found[2], found[2])}}}", tex)


def arranged(root: Element, *, display: bool) -> Element:
    """The tree as browsers draw it well; raises UnknownTexError for what was not understood."""
    for element in root.iter():
        # The converter writes operators as character references.
        element.text = html.unescape(element.text or "")
        if element.tag != "mtext" and _UNKNOWN.match(element.text):
            raise UnknownTexError(element.text)
    words = False
    for element in root.iter():
        words = words or bool(element.text) or element.tag == "mspace"
        _drawn(element, display=display)
    if not words:
        raise UnknownTexError("nothing to see")
    return root


def _drawn(element: Element, *, display: bool) -> None:
    text = element.text or ""
    if element.tag == "mtext":
        # Space at the ends of a text would collapse.
        element.text = text.replace(" ", "\u00a0")
    elif "mathcolor" in element.attrib:
        colour = element.attrib.pop("mathcolor")
        if colour in _COLOURS:
            element.set("class", colour)
    elif element.tag == "menclose":
        element.tag = "mrow"
        element.set("class", _FRAMES.get(element.attrib.pop("notation", ""), "struck"))
    elif element.tag == "mpadded" and element.get("width", "").startswith("+"):
        # Words over an arrow; browsers know no width "as it is and more".
        element.tag = "mrow"
        element.attrib.clear()
        for place in (0, len(element)):
            element.insert(place, Element("mspace", width="0.5em"))
    elif element.tag in ("mover", "munder") and len(element) > 1:
        if element[1].text == _BAR:
            element.set("class", "over" if element.tag == "mover" else "under")
            element.tag = "mrow"
            del element[1]
        elif element[1].text == "~":
            element[1].text = "\u02dc"
    elif element.tag in ("mo", "mi") and text in _SHAPES:
        element.text = _SHAPES[text]
    elif text in ("\u2191", "\u2193") and "fence" not in element.attrib:
        # The gas and the precipitate of a reaction; they would grow as high as the line.
        element.set("stretchy", "false")
    elif display and element.tag == "msub" and (element[0].text or "") in _BELOW:
        element.tag = "munder"
