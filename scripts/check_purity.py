"""What import-linter cannot see. Prints one line a finding and exits with 1 when there is any.

- Domain, ports and services import the standard library and each other, nothing else; they read no environment, no
  clock and no randomness, run nothing and open nothing.
- The package root and what runs in a browser never import sqlalchemy.ext.asyncio.
- Shared SQL code asks SqlDialect and Capabilities, never whether a dialect has this or that name.
- A source file has at most 800 lines.
- No work marks are left behind; no package registry's address and no path of one machine is written down.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "framework_m_migrations"
SOURCE = f"src/{PACKAGE}/"
PURE = ("domain", "ports", "services")
IN_BROWSER = (
    *PURE,
    "adapters/sql",
    "adapters/pyodide",
    "adapters/filesystem",
)
SERVER_ONLY = {"adapters/sql/async_engines.py", "adapters/sql/async_runner.py"}
DIALECT_NAMES = {"postgresql", "sqlite", "mariadb", "mysql"}
NAMES_DIALECTS = {
    # The driver of a URL is chosen by the dialect's name.
    "async_engines.py",
    "engines.py",
    "runner.py",
    "revisions/environment.py",  # Whether a URL's database is a file.
    "desired/declarable.py",  # The list of what can be declared, by database.
    "revisions/writer/objects.py",  # A revision says what a type is on each database that it may be run on.
    "revisions/preview.py",  # What revisions would send, and lint, which reads them as PostgreSQL would.
}
"""Modules of shared SQL code that may name a dialect, each with the reason."""
IMPURE_MODULES = {"os", "random", "secrets", "socket", "subprocess", "sqlite3", "tempfile", "time", "urllib", "http"}
IMPURE_CALLS = {
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "uuid.uuid1",
    "uuid.uuid4",
    "uuid.uuid7",
    "open",
    "print",
    "input",
}
MAX_LINES = 800
LINE_LIMITED = ("src/", "scripts/", "examples/", "benchmarks/")

# Written in halves, so that this file does not find itself.
FORBIDDEN_TEXT = {
    "a work mark": re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b"),
    "a package registry": re.compile(
        "|".join(
            [
                r"\bpypi\." + "org",
                "pythonhosted" + r"\.org",
                r"registry\." + "npmjs",
                r"deb\." + "debian",
                "js" + "delivr",
            ]
        )
    ),
    "a path of one machine": re.compile(r"(?<![\w.~$}\-/])/(?:" + "|".join(["wo" + "rk", "ro" + "ot"]) + r")/"),
}


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class Imports(ast.NodeVisitor):
    """Collects what a module imports, and what each local name stands for."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.names: dict[str, str] = {}
        self.imported: list[tuple[int, str]] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.imported.append((node.lineno, alias.name))
            top = alias.name.partition(".")[0]
            self.names[alias.asname or top] = alias.name if alias.asname else top

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parents = self.module.split(".")[: -node.level]
            base = ".".join([*parents, *([base] if base else [])])
        for alias in node.names:
            self.imported.append((node.lineno, f"{base}.{alias.name}"))
            self.names[alias.asname or alias.name] = f"{base}.{alias.name}"


def spelled(node: ast.expr, names: dict[str, str]) -> str | None:
    """The full dotted name that an expression stands for, or None."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attribute):
            base = spelled(value, names)
            return f"{base}.{attribute}" if base else None
        case _:
            return None


def impure_import(name: str) -> str | None:
    top = name.partition(".")[0]
    if top == "__future__" or name.startswith(tuple(f"{PACKAGE}.{layer}" for layer in PURE)):
        return None
    if top not in sys.stdlib_module_names:
        return f"imports {name}: only the standard library, domain, ports and services may be imported here"
    if top in IMPURE_MODULES and not name.startswith("os.path"):
        return f"imports {name}: this layer touches nothing outside itself"
    return None


def python_findings(path: str, text: str) -> Iterator[Finding]:
    inside = path.removeprefix(SOURCE)
    if not path.startswith(SOURCE):
        return
    pure = inside.startswith(tuple(f"{layer}/" for layer in PURE))
    browser = inside == "__init__.py" or inside.startswith(tuple(f"{layer}/" for layer in IN_BROWSER))
    browser = browser and inside not in SERVER_ONLY
    if not pure and not browser:
        return
    tree = ast.parse(text, path)
    module = f"{PACKAGE}.{inside.removesuffix('.py').replace('/', '.')}"
    imports = Imports(module)
    imports.visit(tree)
    for line, name in imports.imported:
        if name.startswith("sqlalchemy.ext.asyncio"):
            yield Finding(path, line, "imports sqlalchemy.ext.asyncio, which a browser does not have")
        if pure and (complaint := impure_import(name)):
            yield Finding(path, line, complaint)
    shared = inside.removeprefix("adapters/sql/")
    if shared != inside and not shared.startswith("dialects/") and shared not in NAMES_DIALECTS:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and node.value in DIALECT_NAMES:
                yield Finding(path, node.lineno, f"names {node.value}: ask SqlDialect or Capabilities instead")
    if pure:
        for node in ast.walk(tree):
            called = spelled(node.func, imports.names) if isinstance(node, ast.Call) else None
            if isinstance(node, ast.Call) and called in IMPURE_CALLS:
                yield Finding(path, node.lineno, f"calls {called}: take a clock, a value or a port instead")


def text_findings(path: str, text: str) -> Iterator[Finding]:
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        for what, pattern in FORBIDDEN_TEXT.items():
            if pattern.search(line):
                yield Finding(path, number, f"has {what}: {line.strip()[:100]}")
    if path.endswith(".py") and path.startswith(LINE_LIMITED) and len(lines) > MAX_LINES:
        yield Finding(path, len(lines), f"has {len(lines)} lines; {MAX_LINES} at most")


def findings(path: str, text: str) -> list[Finding]:
    """All that is wrong with one file, given by its path from the project's root."""
    found = list(text_findings(path, text))
    if path.endswith(".py"):
        found.extend(python_findings(path, text))
    return sorted(found)


def project_files(root: Path) -> list[str]:
    """What git has or would take, so that ignored folders are left out."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted({name for name in listed.split("\0") if name and (root / name).is_file()})


def main(root: Path) -> int:
    found: list[Finding] = []
    files = project_files(root)
    for name in files:
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found.extend(findings(name, text))
    for finding in found:
        print(finding)
    print(f"Purity: {len(files)} files, {len(found)} findings.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
