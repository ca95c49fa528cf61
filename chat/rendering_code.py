"""Code blocks: the box with its header, and colours by a handful of classes.

Refuses to guess a language: only names on the list are coloured (other lexers are not known to be safe against
slow input), and only code of a size that takes milliseconds.
"""

import html
import re
from collections.abc import Iterable

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, String, Token, _TokenType
from pygments.util import ClassNotFound

MAX_HIGHLIGHT = 16_000
"""Characters of code that are coloured at most; longer code is shown without colours."""
MAX_LINE = 2_000
_FILE = re.compile(r"(?:title|file|filename)=[\"']?([\w./\\-]+)")
_RUN = re.compile(r"[\w\s.,*&$<>?\[\]]+")
MAX_RUN = 500
"""Characters without an operator: over longer runs ("a a a") the Java and C lexers look back and forth for seconds."""

CODE_CLASSES = frozenset({"k", "s", "f", "c", "m", "gi", "gd"})

_LANGUAGES = frozenset(
    {"bash", "sh", "shell", "zsh", "console", "powershell", "ps1", "bat", "python", "py", "python3", "pycon",
     "javascript", "js", "jsx", "typescript", "ts", "tsx", "java", "kotlin", "kt", "scala", "groovy", "c", "h", "cpp",
     "c++", "go", "golang", "rust", "rs", "swift", "objective-c", "php", "ruby", "rb", "perl",
     "lua", "r", "julia", "dart", "elixir", "erlang", "haskell", "clojure", "sql", "mysql", "postgresql", "plpgsql",
     "sqlite3", "html", "xml", "css", "scss", "sass", "less", "json", "json5", "jsonc", "yaml", "yml", "toml", "ini",
     "cfg", "properties", "dockerfile", "docker", "makefile", "make", "cmake", "nginx", "diff", "udiff", "http",
     "graphql", "protobuf", "proto", "hcl", "terraform", "vue", "svg", "matlab", "latex", "tex", "vim", "zig",
     "fortran", "pascal", "solidity"}
)  # fmt: skip
_NAMES = {
    "text": "",
    "txt": "",
    "plain": "",
    "plaintext": "",
    "md": "Markdown",
    "markdown": "Markdown",
    "csharp": "C#",
    "cs": "C#",
}
# C# has a name only: its lexer takes 8 s for 32 kB of "a a a".
_CLASSES: dict[_TokenType, str] = {
    Token: "", Keyword: "k", Name.Tag: "k", Name.Builtin.Pseudo: "k", String: "s", Number: "m", Comment: "c",
    Name.Function: "f", Name.Class: "f", Name.Decorator: "f", Name.Attribute: "f", Generic.Inserted: "gi",
    Generic.Deleted: "gd", Generic.Heading: "k", Generic.Subheading: "k", Generic.Prompt: "c",
}  # fmt: skip


def code_html(code: str, *, info: str, colours: bool = True) -> str:
    """The box of a code block; `info` is what stands after the fence, its first word the language."""
    words = info.replace("{", " ").replace(",", " ").split(maxsplit=1)
    word = words[0][:120] if words else ""
    file = _FILE.search(words[1]) if len(words) > 1 else None
    path = file[1] if file else ""
    if word.partition(":")[0].lower() in _LANGUAGES:
        word, _, named = word.partition(":")
        path = named or path
    alias = word.lower()
    name, body = _NAMES.get(alias, word), ""
    if alias in _LANGUAGES:
        try:
            lexer = get_lexer_by_name(alias, stripnl=False)
        except ClassNotFound:
            pass
        else:
            name = lexer.name
            if colours and _affordable(code):
                body = _coloured(lexer.get_tokens(code))
    label = html.escape(" · ".join(filter(None, (name, path[:120]))))
    body = body or html.escape(code, quote=False)
    return (
        f'<div class="code"><header><span class="lang">{label}</span></header>'
        f'<pre tabindex="0"><code>{body}</code></pre></div>\n'
    )


def _affordable(code: str) -> bool:
    if len(code) > MAX_HIGHLIGHT or max(map(len, code.split("\n"))) > MAX_LINE:
        return False
    return max(map(len, _RUN.findall(code)), default=0) <= MAX_RUN


def _class_of(kind: _TokenType) -> str:
    """The class of a token or of its nearest ancestor that has one; remembered."""
    known = _CLASSES.get(kind)
    if known is None:
        parent = kind.parent
        known = _CLASSES[kind] = _class_of(parent) if parent is not None else ""
    return known


def _coloured(tokens: Iterable[tuple[_TokenType, str]]) -> str:
    parts: list[str] = []
    run: list[str] = []
    current = ""
    for kind, value in tokens:
        name = _class_of(kind)
        if name != current:
            parts.append(_span(current, run))
            run, current = [], name
        run.append(value)
    parts.append(_span(current, run))
    return "".join(parts)


def _span(name: str, run: list[str]) -> str:
    text = html.escape("".join(run), quote=False)
    return f'<span class="{name}">{text}</span>' if name and text.strip() else text
