"""Finds the models of a project by reading its files; nothing is imported or run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

_PASSED_OVER = {"node_modules", "site-packages", "tests", "test", "migrations", "alembic", "versions", "build", "dist"}
_MOST_FILES = 2_000
_BASES = {"DeclarativeBase", "DeclarativeBaseNoMeta", "MappedAsDataclass"}
_ADVANCED = "advanced_alchemy"


@dataclass(frozen=True, slots=True)
class Declarations:
    """What a project declares.

    Attributes:
        metadata: as the setting of that name has it, one for each module with models, in the order of their names.
        frameworks: libraries that the models are written with.
    """

    metadata: tuple[str, ...]
    frameworks: tuple[str, ...]


@dataclass(slots=True)
class _Module:
    name: str
    imported: dict[str, str] = field(default_factory=dict)
    classes: dict[str, tuple[list[str], bool]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    """Names to which the result of a call is given, with the name of what is called."""
    calls: set[str] = field(default_factory=set)


def find_declarations(project: Path) -> Declarations:
    """The models in a project's folder, and in its ``src``.

    Args:
        project: the folder. Tests, revisions, hidden folders and environments in it are passed over.
    """
    modules = list(_modules(project))
    bases = _bases(modules)
    found: dict[str, str] = {}
    frameworks: set[str] = set()
    for module in modules:
        attribute = _attribute(module, bases)
        if attribute is not None:
            found[module.name] = f"{module.name}:{attribute}"
            frameworks |= _frameworks(module)
    return Declarations(tuple(found[name] for name in sorted(found)), tuple(sorted(frameworks)))


def _modules(project: Path) -> Iterator[_Module]:
    seen = 0
    root = project / "src" if (project / "src").is_dir() else project
    for at, folders, files in os.walk(root):
        here = Path(at)
        folders[:] = sorted(
            name
            for name in folders
            if name.isidentifier() and name not in _PASSED_OVER and not (here / name / "pyvenv.cfg").is_file()
        )
        for name in sorted(files):
            file = here / name
            if file.suffix != ".py" or not file.stem.isidentifier() or file.stem.startswith("test_"):
                continue
            seen += 1
            if seen > _MOST_FILES:
                return
            parts = (*file.relative_to(root).parts[:-1], *(() if file.stem == "__init__" else (file.stem,)))
            try:
                tree = ast.parse(file.read_bytes())
            except (OSError, SyntaxError, ValueError, RecursionError):
                continue
            if parts:
                yield _read(".".join(parts), tree)


def _read(name: str, tree: ast.Module) -> _Module:
    module = _Module(name)
    for statement in tree.body:
        match statement:
            case ast.Import(names=names):
                module.imported |= {one.asname or one.name: one.name for one in names}
            case ast.ImportFrom(names=names):
                source = statement.module or ""
                module.imported |= {one.asname or one.name: f"{source}.{one.name}" for one in names}
            case ast.ClassDef():
                table = any(
                    word.arg == "table" and isinstance(word.value, ast.Constant) and word.value.value is True
                    for word in statement.keywords
                )
                table = table or any(_is_tablename(part) for part in statement.body)
                module.classes[statement.name] = ([ast.unparse(base) for base in statement.bases], table)
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Call(func=called)):
                module.made[target] = ast.unparse(called)
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.Call(func=called)):
                module.made[target] = ast.unparse(called)
            case ast.Expr(value=ast.Call(func=called)):
                module.calls.add(ast.unparse(called))
            case _:
                pass
    return module


def _is_tablename(part: ast.stmt) -> bool:
    return isinstance(part, ast.Assign) and any(
        isinstance(one, ast.Name) and one.id == "__tablename__" for one in part.targets
    )


def _last(name: str) -> str:
    return name.partition("[")[0].rpartition(".")[2]


def _bases(modules: list[_Module]) -> set[str]:
    """Names of classes that models derive from, as modules name them."""
    bases = {name for module in modules for name, called in module.made.items() if _last(called) == "declarative_base"}
    bases |= {
        name
        for module in modules
        for name, (parents, _) in module.classes.items()
        if any(_last(parent) in _BASES for parent in parents)
    }
    return bases


def _attribute(module: _Module, bases: set[str]) -> str | None:
    """What of the module leads to the MetaData; None where it declares no table."""
    models: list[str] = []
    for name, (parents, table) in module.classes.items():
        lasts = {_last(parent) for parent in parents}
        sources = {module.imported.get(parent.partition(".")[0].partition("[")[0], "") for parent in parents}
        mapped = "SQLModel" in lasts and table
        mapped = mapped or (any(source.startswith(_ADVANCED) for source in sources) and name not in bases)
        mapped = mapped or any(map(partial(_flask, module), parents))
        mapped = mapped or (bool(lasts & bases and name not in bases))
        if mapped:
            models.append(name)
    tables = {_last(called) for called in module.made.values()} | {_last(called) for called in module.calls}
    if not models and "Table" not in tables:
        return None
    own = [name for name, called in module.made.items() if _last(called) == "MetaData"]
    known = [*own, *(name for name in ("metadata", "Base", "SQLModel") if _has(module, name))]
    known += [
        owner for parents, _ in module.classes.values() for parent in parents if (owner := _flask(module, parent))
    ]
    known += [name for name in module.imported if name in bases] + [name for name in module.classes if name in bases]
    return next(iter([*known, *models]), None)


def _has(module: _Module, name: str) -> bool:
    return name in module.imported or name in module.classes or name in module.made


def _flask(module: _Module, parent: str) -> str:
    """The name of Flask-SQLAlchemy's extension in ``db.Model``; empty for another parent."""
    owner, _, attribute = parent.rpartition(".")
    return owner if attribute == "Model" and _has(module, owner) else ""


def _frameworks(module: _Module) -> set[str]:
    known = {"sqlmodel": "SQLModel", "flask_sqlalchemy": "Flask-SQLAlchemy", _ADVANCED: "advanced-alchemy"}
    roots = {source.partition(".")[0] for source in module.imported.values()}
    found = {known[root] for root in roots if root in known}
    return found | (
        {"Flask-SQLAlchemy"} if any(_flask(module, p) for ps, _ in module.classes.values() for p in ps) else set()
    )
