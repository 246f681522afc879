"""Writes revision files."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Sequence
from operator import is_not
from pathlib import Path
from typing import Any, Literal, cast

import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy.sql.functions import now

from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.revisions.writer import source
from framework_m_migrations.adapters.sql.revisions.writer.directives import ExactForm
from framework_m_migrations.adapters.sql.revisions.writer.objects import Objects, type_source
from framework_m_migrations.adapters.sql.revisions.writer.script import ScriptWriter
from framework_m_migrations.adapters.sql.revisions.writer.source import (
    INDENT,
    Batch,
    Choice,
    Directive,
    Piece,
    Said,
    Script,
    Source,
    docstring,
    escape_binds,
    execute_call,
    layout,
    statement,
)
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.errors import RevisionError, VersionFolderMissing
from framework_m_migrations.domain.plan import PlannedChange, removals
from framework_m_migrations.domain.revisions import Phase, RevisionDraft
from framework_m_migrations.domain.schema import Table, TableName
from framework_m_migrations.ports.app_discovery import App

_CALL = re.compile(r"[^#]*\bonline\.\w+\(")
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_SQL_ARGUMENT = {"text": 0, "CheckConstraint": 0, "Computed": 0}


class Renderer:
    """Renders the functions of one revision.

    Args:
        connection: gives the dialect.

    Attributes:
        imports: statements that the source needs, beside those of alembic and sqlalchemy.
    """

    def __init__(self, connection: sa.Connection) -> None:
        # A dialect alone: rendering asks the database nothing, and percent signs stay as they are.
        self._context = MigrationContext.configure(dialect=SqlText(connection.dialect, str, schema=None).dialect)
        self.imports: set[str] = set()
        self._done: dict[tuple[int, int], tuple[Piece, list[str], frozenset[str]]] = {}
        self._needed: set[str] = set()

    def body(self, pieces: Sequence[Piece], depth: int = 1) -> list[str]:
        """The lines of a function's body at a depth of indentation; ``pass`` where it does nothing."""
        start = INDENT * depth
        lines: list[str] = []
        effective = False
        for piece in pieces:
            if isinstance(piece, Source):
                lines.extend(f"{start}# {comment}" for comment in piece.comments)
                if piece.code:
                    lines.extend(layout(piece.code, depth))
                effective = effective or bool(piece.code)
            elif isinstance(piece, Choice):
                lines.extend(self._chosen(piece, depth))
                effective = True
            elif isinstance(piece, Said):
                self.imports |= piece.imports
                lines.extend(statement(ast.Expr(piece.call), depth))
                effective = True
            else:
                lines.extend(self._rendered(piece, depth))
                effective = True
        return lines if effective else [*lines, f"{start}pass"]

    def tried(self, pieces: Sequence[Piece]) -> tuple[Sequence[str], set[str]]:
        """The lines of pieces at the depth of a function's body, and the imports that they need by themselves."""
        before, self.imports = self.imports, set()
        try:
            return self.body(pieces), self.imports
        finally:
            self.imports = before

    def _chosen(self, piece: Choice, depth: int) -> list[str]:
        """One dialect's own statements; for the others what Alembic says."""
        start = INDENT * depth
        own = [line for sql in piece.statements for line in execute_call(escape_binds(sql), depth + 1)]
        lines = [f'{start}if op.get_context().dialect.name == "{piece.dialect}":', *own]
        return [*lines, *([f"{start}else:", *self.body(piece.otherwise, depth + 1)] if piece.otherwise else [])]

    def _rendered(self, piece: Directive | Batch, depth: int) -> list[str]:
        """Once, though a piece is tried out first and then written; the imports are those of what is used."""
        key = id(piece), depth
        if key not in self._done:
            self._needed = set()
            lines = self._lines(piece, depth)
            self._done[key] = piece, lines, frozenset(self._needed)
        _, lines, needed = self._done[key]
        self.imports |= needed
        return lines

    def _lines(self, piece: Directive | Batch, depth: int) -> list[str]:
        operation: ops.MigrateOperation = (
            ops.ModifyTableOps(piece.table, piece.operations, schema=piece.schema)
            if isinstance(piece, Batch)
            else piece.operation
        )
        code = render_python_code(
            ops.UpgradeOps([operation]),
            render_as_batch=True,
            render_item=self._render_item,
            migration_context=self._context,
        )
        # It comes indented for a template; a block of its own makes it parse as it is.
        tree = cast(ast.If, ast.parse(f"if True:\n    {code}").body[0])
        fixer = _Fixer()
        return [line for node in tree.body for line in statement(fixer.visit(node), depth)]

    def _render_item(self, kind: str, item: Any, context: Any) -> str | Literal[False]:
        del context
        if kind == "type":
            return type_source(item, self._needed)
        if kind == "server_default":
            clause = item.arg if isinstance(item, sa.DefaultClause) else item
            if isinstance(clause, sa.TextClause):
                return _default_source(clause.text)
            if isinstance(clause, sa.True_ | sa.False_):
                return "sa.true()" if isinstance(clause, sa.True_) else "sa.false()"
            if isinstance(clause, now):
                return "sa.func.now()"
        return False


def _default_source(sql: str) -> str:
    """A constant text as a string, which SQLAlchemy quotes itself; all else as SQL."""
    quoted = _QUOTED.fullmatch(sql)
    return repr(quoted[1].replace("''", "'")) if quoted else f"sa.text({sql!r})"


class _Fixer(ast.NodeTransformer):
    """Escapes colons in SQL, which Alembic leaves to the reader."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute):
            return node
        name = node.func.attr
        if name in _SQL_ARGUMENT and node.args:
            self._escape(node, _SQL_ARGUMENT[name])
        elif name == "create_check_constraint":
            self._escape(node, len(node.args) - 1)
        elif name == "batch_alter_table":
            node.keywords = [one for one in node.keywords if not _is_none(one)]
        return node

    @staticmethod
    def _escape(node: ast.Call, position: int) -> None:
        argument = node.args[position]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            node.args[position] = ast.Constant(escape_binds(argument.value))


def _is_none(keyword: ast.keyword) -> bool:
    return isinstance(keyword.value, ast.Constant) and keyword.value.value is None


# Writes revision files.


ONLINE = "from framework_m_migrations import online"
ALWAYS_REVIEW = (
    "Data: does a row need to be moved, split or converted? Autogenerate cannot know.",
    "Downgrade: does it give back what matters?",
)


type Functions = list[tuple[str, list[str]]]
"""Names and lines."""
type _Plain = tuple[tuple[PlannedChange, ...], Functions, Iterable[str], set[str]]


class RevisionWriter:
    """Renders and writes.

    Args:
        connection: gives the dialect; read only.
        sql_dialect: its dialect.
    """

    def __init__(self, connection: sa.Connection, sql_dialect: SqlDialect) -> None:
        self._connection = connection
        self._sql_dialect = sql_dialect
        self._plain: _Plain | None = None

    def _script(self, renderer: Renderer, changes: Sequence[PlannedChange]) -> Script:
        """What a revision for these changes does, on the present database exactly as the dialect's writer has it."""

        def former(name: TableName) -> Table | None:
            inspector = self._sql_dialect.inspector(self._connection, schema=None, ignored=frozenset())
            return inspector.read([name]).tables.get(name)

        idle = not self._connection.in_transaction()
        try:
            objects = Objects(self._connection, self._sql_dialect)
            exact = ExactForm(self._connection, self._sql_dialect, objects, renderer.tried)
            capabilities = self._sql_dialect.capabilities(self._connection.dialect)
            return ScriptWriter(objects, capabilities, exact.settle, former).script(changes)
        finally:
            if idle:
                self._connection.rollback()

    def text(self, draft: RevisionDraft, changes: Sequence[PlannedChange]) -> str:
        """The whole file: the same text for the same draft and changes, whenever and wherever."""
        if draft.phase is None:
            functions, review, needed = self._functions(changes)
        else:
            renderer = Renderer(self._connection)
            functions, review = self._online(renderer, draft, changes)
            needed = renderer.imports
        body = [line for _, lines in functions for line in lines]
        imports = _imports({*needed, *([ONLINE] if _calls_online(body) else [])}, body, by_hand=not changes)
        drops = () if draft.contract_of is None else removals(changes)
        header = [
            f"revision = {_value(draft.id)}",
            *layout(f"down_revision = {_scalar(draft.down_revisions)!r}", 0),
            *layout(f"branch_labels = {draft.branch_labels or None!r}", 0),
            *layout(f"depends_on = {_scalar(draft.depends_on)!r}", 0),
            *([] if draft.contract_of is None else [f"contract_of = {_value(draft.contract_of)}"]),
            *(layout(f"drops = {drops!r}", 0) if drops else []),
            *(['new_database = "sync"'] if draft.beside_sync else []),
        ]
        lines = [
            docstring(_description(draft, (*draft.review, *review), reviewed=bool(changes))),
            "",
            *imports,
            "",
            *header,
            *(line for name, lines in functions for line in ("", "", f"def {name}() -> None:", *lines)),
            "",
        ]
        return "\n".join(lines)

    def _functions(self, changes: Sequence[PlannedChange]) -> tuple[Functions, Iterable[str], set[str]]:
        """The functions, their review list and their imports; worked out once for changes that are written at last."""
        known = self._plain
        if known is None or len(known[0]) != len(changes) or any(map(is_not, known[0], changes)):
            renderer = Renderer(self._connection)
            script = self._script(renderer, changes)
            functions = [("upgrade", renderer.body(script.upgrade())), ("downgrade", renderer.body(script.downgrade()))]
            known = self._plain = (tuple(changes), functions, script.review, renderer.imports)
        return known[1:]

    def _online(
        self, renderer: Renderer, draft: RevisionDraft, changes: Sequence[PlannedChange]
    ) -> tuple[Functions, Iterable[str]]:
        """The functions of one half: what the database does while it serves, and the plain form for others."""
        phase, online = draft.phase or Phase.EXPAND, self._sql_dialect.online_revisions()
        elsewhere = [one for one in changes if not isinstance(one.change, c.EnumAdded)]
        plain = self._script(renderer, elsewhere) if phase is Phase.EXPAND else Script()
        if online is None:
            # The first half does everything.
            bodies = (renderer.body(plain.upgrade()), renderer.body(plain.downgrade()))
            return list(zip(("upgrade", "downgrade"), bodies, strict=True)), plain.review
        halves = online.online_halves(changes, draft)
        renderer.imports.add(ONLINE)
        functions: list[tuple[str, list[str]]] = []
        later: list[tuple[str, list[str]]] = []
        pairs = zip(
            ("upgrade", "downgrade"), online.half(halves, phase), (plain.upgrade(), plain.downgrade()), strict=True
        )
        for name, served, alone in pairs:
            functions.append((name, _by_dialect(name, self._sql_dialect.name, plain=bool(alone))))
            later.append((f"{name}_online", renderer.body(served)))
            if alone:
                later.append((f"{name}_plain", renderer.body(alone)))
        note = online.OLD_CODE if phase is Phase.CONTRACT else None
        return [*functions, *later], (*([note] if note else halves.review),)

    def write(self, app: App, draft: RevisionDraft, changes: Sequence[PlannedChange]) -> Path:
        """Write the file into the app's folder.

        Raises:
            VersionFolderMissing: the app has no place for one.
            RevisionError: a file of that name exists.
        """
        chosen = app.version_folder or app.new_version_folder
        if chosen is None:
            raise VersionFolderMissing(
                f"App {app.name!r} ({app.package}) has no folder where revisions could be kept.",
                next_step="Make it a package: a folder with an __init__.py.",
                details={"app": app.name, "package": app.package},
            )
        text = self.text(draft, changes)
        # Nothing is written that Python cannot read.
        compile(text, draft.id, "exec", dont_inherit=True)
        folder = Path(chosen)
        file = folder / source.file_name(draft.id, draft.message)
        taken = sorted(folder.glob(f"{draft.id}_*.py")) or ([file] if file.exists() else [])
        if taken:
            raise RevisionError(
                f"Revision {draft.id} exists already: {taken[0]}.",
                next_step="Run it, or remove the file first.",
                details={"revision": draft.id, "file": str(taken[0])},
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Exclusive: what another process wrote meanwhile is not overwritten.
            with file.open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise RevisionError(
                f"The revision cannot be written to {file}: {error.strerror or error}.",
                next_step="Make the folder writable, or write the file elsewhere with --no-write.",
                details={"file": str(file)},
            ) from error
        return file


def _by_dialect(name: str, dialect: str, *, plain: bool) -> list[str]:
    lines = [f'{INDENT}if op.get_context().dialect.name == "{dialect}":', f"{INDENT * 2}{name}_online()"]
    return [*lines, f"{INDENT}else:", f"{INDENT * 2}{name}_plain()"] if plain else lines


def _value(text: str) -> str:
    return layout(repr(text), 0)[0]


def _scalar(values: tuple[str, ...]) -> str | tuple[str, ...] | None:
    return values[0] if len(values) == 1 else values or None


def _imports(extra: set[str], body: Sequence[str], *, by_hand: bool) -> list[str]:
    """What the body uses; a revision to be filled in by hand gets both usual ones."""
    joined = "\n".join(body)
    unused = "  # noqa: F401" if by_hand else ""
    plain = sorted(line for line in extra if line.startswith("import "))
    # A half may use it in a comment alone, for a person to complete.
    written = _calls_online(body)
    froms = sorted(
        f"{line}  # noqa: F401" if line == ONLINE and not written else line
        for line in extra
        if line.startswith("from ")
    )
    if by_hand or "sa." in joined:
        plain.append(f"import sqlalchemy as sa{unused}")
    if by_hand or "op." in joined:
        froms.insert(0, f"from alembic import op{unused}")
    return ["from __future__ import annotations", *([""] if plain or froms else []), *sorted(plain), *froms]


def _calls_online(body: Sequence[str]) -> bool:
    return any("online." in line and _CALL.match(line) for line in body)


def _description(draft: RevisionDraft, review: Sequence[str], *, reviewed: bool) -> str:
    message = " ".join(draft.message.split()) or "empty message"
    lines = [
        message,
        "",
        f"Revision ID: {draft.id}",
        f"Revises: {', '.join(draft.down_revisions) or 'nothing, it is the first one'}",
    ]
    if draft.depends_on:
        lines.append(f"Depends on: {', '.join(draft.depends_on)}")
    points = dict.fromkeys((*review, *(ALWAYS_REVIEW if reviewed else ())))
    if points:
        lines += ["", "REVIEW before it is run:", *(f"- [ ] {' '.join(point.split())}" for point in points)]
    return "\n".join(lines)
