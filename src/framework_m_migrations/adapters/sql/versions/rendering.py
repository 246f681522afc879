"""Pieces as Python source, through Alembic's own renderer."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any, Literal, cast

import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy.sql.functions import now

from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.adapters.sql.versions.pieces import Batch, Choice, Directive, Piece, Source
from framework_m_migrations.adapters.sql.versions.python_source import (
    INDENT,
    escape_binds,
    execute_call,
    layout,
    statement,
)
from framework_m_migrations.adapters.sql.versions.type_source import type_source

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
