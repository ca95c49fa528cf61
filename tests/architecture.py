"""Finds where the tree breaks the house's shape: arrows, sizes, nesting, names, imports, prints, type ignores.

Reads source only; it imports nothing of the product and repairs nothing. `test_architecture.py` runs it on this
checkout and shows it one planted violation per rule.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

APPS = ("accounts", "providers", "usage", "chat", "api", "portal")
"""Left to right: an app imports only what stands to its left."""

ROOMS = (*APPS, "tests", "bench", "bin", "static", "templates", "manage.py")
SOURCE = {".py", ".js", ".mjs", ".html", ".sh", ""}
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base"}
MAX_LINES = 400
MAX_FUNCTION = 60
MAX_NESTING = 4
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DYNAMIC = {"import_module", "import_string", "__import__"}
IGNORE = re.compile(r"#\s*type:\s*ignore(?P<code>\[[a-z][a-z0-9\-, ]*\])?(?P<rest>.*)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Late:
    """An import inside a function that is agreed to: an optional dependency or a library too heavy to load always."""

    path: str
    module: str
    reason: str


@dataclass(frozen=True)
class Fault:
    """One broken rule; `str()` is a line that an editor can jump to."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


@dataclass(frozen=True)
class Source:
    """One file; `tree` is None unless it is Python outside migrations."""

    path: str
    text: str
    tree: ast.Module | None

    @property
    def app(self) -> str | None:
        first = self.path.split("/", maxsplit=1)[0]
        return first if first in APPS else None


def find(root: Path, *, late: tuple[Late, ...] = ()) -> list[Fault]:
    """Every fault under `root`, in order of path and line. `late` lists the imports inside functions agreed to."""
    sources = list(read(root))
    faults = [fault for source in sources for rule in RULES for fault in rule(source)]
    faults += late_imports(sources, late=late)
    faults += type_ignores(sources)
    return sorted(faults, key=lambda fault: (fault.path, fault.line, fault.rule))


def read(root: Path) -> Iterator[Source]:
    """The product's own source files; migrations, vendored and generated files are not ours to shape."""
    for room in ROOMS:
        top = root / room
        for file in sorted(top.rglob("*")) if top.is_dir() else [top]:
            inside = file.relative_to(root)
            foreign = {"migrations", "vendor", "node_modules", "__pycache__"} & set(inside.parts)
            if foreign or not file.is_file() or file.suffix not in SOURCE or ".min." in file.name:
                continue
            text = file.read_text(encoding="utf-8")
            yield Source(inside.as_posix(), text, ast.parse(text) if file.suffix == ".py" else None)


def file_size(source: Source) -> Iterator[Fault]:
    lines = source.text.count("\n") + (not source.text.endswith("\n") and bool(source.text))
    if lines > MAX_LINES:
        yield Fault(source.path, lines, "file size", f"{lines} lines, at most {MAX_LINES}: split it by noun")


def file_name(source: Source) -> Iterator[Fault]:
    # A template called base is Django's own convention and extends one page, not a drawer for everything; a database backend's
    # module must have that name.
    if source.path.endswith(".html") or source.path == "portal/sqlite3/base.py":
        return
    parts = Path(source.path).with_suffix("").parts
    for part in parts:
        if part.lower() in FORBIDDEN:
            yield Fault(source.path, 1, "file name", f"“{part}” says nothing: name the thing or the verb")


def docstring(source: Source) -> Iterator[Fault]:
    if source.tree and source.tree.body and not ast.get_docstring(source.tree):
        yield Fault(source.path, 1, "docstring", "the first line says the one reason of this file")


def function_size(source: Source) -> Iterator[Fault]:
    for function in functions(source.tree):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > MAX_FUNCTION:
            text = f"{function.name} has {lines} lines, at most {MAX_FUNCTION}"
            yield Fault(source.path, function.lineno, "function size", text)


def nesting(source: Source) -> Iterator[Fault]:
    for function in functions(source.tree):
        deepest = depth(function.body)
        if deepest > MAX_NESTING:
            text = f"{function.name} is nested {deepest} deep, at most {MAX_NESTING}"
            yield Fault(source.path, function.lineno, "nesting", text)


def depth(body: list[ast.stmt]) -> int:
    """How many blocks deep the deepest statement stands; an `elif` stands as deep as its `if`."""
    return max((block_depth(statement) for statement in body), default=0)


def block_depth(statement: ast.stmt) -> int:
    if not isinstance(statement, BLOCKS):
        return 0
    if isinstance(statement, ast.If) and len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
        return max(1 + depth(statement.body), block_depth(statement.orelse[0]))
    bodies: list[list[ast.stmt]] = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    bodies += [handler.body for handler in getattr(statement, "handlers", [])]
    bodies += [case.body for case in getattr(statement, "cases", [])]
    return 1 + max(depth(body) for body in bodies)


def arrows(source: Source) -> Iterator[Fault]:
    if source.app is None:
        return
    own = APPS.index(source.app)
    for line, module in imports(source):
        top = module.split(".", maxsplit=1)[0]
        if top in APPS and APPS.index(top) > own:
            yield Fault(source.path, line, "arrow", f"{source.app} may not import {module}: it stands to its right")
        if top in {"tests", "bench"}:
            yield Fault(source.path, line, "arrow", f"the product may not import {module}")


def openai_only_in_the_client(source: Source) -> Iterator[Fault]:
    if source.app is None or source.path.startswith(("providers/client", "providers/client/")):
        return
    for line, module in imports(source):
        if module.split(".", maxsplit=1)[0] == "openai":
            yield Fault(source.path, line, "openai", "only providers/client*.py speaks to the SDK")


def prints(source: Source) -> Iterator[Fault]:
    if source.tree is None or source.app is None or source.path.endswith("/__main__.py"):
        return
    if "/management/commands/" in source.path:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and called(node) in {"print", "pprint", "breakpoint"}:
            yield Fault(source.path, node.lineno, "print", f"{called(node)}() in the product: log it")


def late_imports(sources: list[Source], *, late: tuple[Late, ...]) -> Iterator[Fault]:
    """Imports inside functions, except `AppConfig.ready` and the agreed table, which may hold nothing that is gone."""
    agreed = {(entry.path, entry.module) for entry in late if entry.reason}
    seen = set()
    for source in sources:
        for line, module in imports_in_functions(source):
            if (source.path, module) in agreed:
                seen.add((source.path, module))
            else:
                text = f"{module} is imported inside a function: move it up, or list it with its reason"
                yield Fault(source.path, line, "late import", text)
    for path, module in sorted(agreed - seen):
        yield Fault(path, 1, "late import", f"{module} is listed but no longer imported late: take it off the list")


def imports_in_functions(source: Source) -> Iterator[tuple[int, str]]:
    if source.tree is None or source.path.startswith(("tests/", "bench/", "bin/")):
        return
    ready = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and any("AppConfig" in ast.unparse(base) for base in node.bases):
            methods = (item for item in node.body if isinstance(item, FUNCTIONS) and item.name == "ready")
            ready |= {id(inner) for method in methods for inner in ast.walk(method)}
    found = {
        (getattr(inner, "lineno", function.lineno), module)
        for function in functions(source.tree)
        for inner in ast.walk(function)
        if id(inner) not in ready
        for module in imported(inner, source=source)
    }
    yield from sorted(found)


def type_ignores(sources: list[Source]) -> Iterator[Fault]:
    """Each names its code and its reason, and there is at most one per 1,000 lines of Python."""
    count = 0
    for source in sources:
        for line, match in ignores(source):
            count += 1
            reason = match["rest"].strip(" #:-—")
            if not match["code"] or not reason:
                text = "write `# type: ignore[code]  # the reason`"
                yield Fault(source.path, line, "type ignore", text)
    lines = sum(source.text.count("\n") for source in sources if source.tree)
    if count * 1000 > lines:
        yield Fault("pyproject.toml", 1, "type ignore", f"{count} in {lines} lines, at most 1 per 1,000")


def ignores(source: Source) -> Iterator[tuple[int, re.Match[str]]]:
    if source.tree is None:
        return
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        match = IGNORE.search(token.string) if token.type == tokenize.COMMENT else None
        if match:
            yield token.start[0], match


def functions(tree: ast.Module | None) -> Iterator[Function]:
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, FUNCTIONS):
            yield node


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """(line, absolute module name) of every import anywhere in the file, dynamic ones with a literal name included."""
    for node in ast.walk(source.tree) if source.tree else ():
        for module in imported(node, source=source):
            yield getattr(node, "lineno", 1), module


def imported(node: ast.AST, *, source: Source) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [absolute(node, source=source)]
    if isinstance(node, ast.Call) and called(node) in DYNAMIC and node.args:
        first = node.args[0]
        return [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
    return []


def absolute(node: ast.ImportFrom, *, source: Source) -> str:
    """`from ..models import X` as a full name, so that a relative import cannot cross an arrow unseen."""
    if not node.level:
        return node.module or ""
    package = source.path.split("/")[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr if node.func.attr in DYNAMIC else ""
    return node.func.id if isinstance(node.func, ast.Name) else ""


RULES = (file_size, file_name, docstring, function_size, nesting, arrows, openai_only_in_the_client, prints)
