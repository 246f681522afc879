"""Python source of revision files: its formatting, its pieces, and names that it needs where the model has none."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.sql.compiler import BIND_PARAMS, BIND_PARAMS_ESC

from framework_m_migrations.domain.naming import Constraint, Place, known_as, standard_name
from framework_m_migrations.domain.schema import TableName

WIDTH = 88
INDENT = "    "


def string_literal(text: str) -> str:
    """A string as source: double quotes unless that needs more escapes; everything unprintable is escaped."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    body = []
    quote = "'" if text.count('"') > text.count("'") else '"'
    for character in text:
        if character in {"\\", quote}:
            body.append(f"\\{character}")
        elif character.isprintable():
            body.append(character)
        else:
            body.append(repr(character)[1:-1])
    return f"{quote}{''.join(body)}{quote}"


def docstring(text: str) -> str:
    """A module's docstring as source; newlines stay, whatever else could end or bend it is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    body = "".join(
        character if character == "\n" or character.isprintable() else repr(character)[1:-1] for character in escaped
    )
    return f'"""{body}\n"""'


def layout(source: str, depth: int) -> list[str]:
    """Source of one or more statements, laid out at the given depth of indentation."""
    return [line for node in ast.parse(source).body for line in statement(node, depth)]


def execute_call(sql: str, depth: int) -> list[str]:
    """``op.execute`` of a statement; one of several lines is written line by line, as it is sent."""
    if "\n" not in sql:
        return layout(f"op.execute({string_literal(sql)})", depth)
    start, inner = INDENT * depth, INDENT * (depth + 1)
    parts = sql.splitlines(keepends=True)
    return [f"{start}op.execute(", *(f"{inner}{string_literal(part)}" for part in parts), f"{start})"]


def statement(node: ast.stmt, depth: int) -> list[str]:
    """A parsed statement, laid out."""
    start = INDENT * depth
    if isinstance(node, ast.With):
        item = node.items[0]
        tail = f" as {flat(item.optional_vars)}:" if item.optional_vars is not None else ":"
        head = _fit(item.context_expr, depth, f"{start}with ", tail)
        return [*head, *(line for inner in node.body for line in statement(inner, depth + 1))]
    if isinstance(node, ast.If):
        head = _fit(node.test, depth, f"{start}if ", ":")
        return [*head, *(line for inner in node.body for line in statement(inner, depth + 1))]
    if isinstance(node, ast.Expr):
        return _fit(node.value, depth, start, "")
    if isinstance(node, ast.Assign):
        return _fit(node.value, depth, f"{start}{flat(node.targets[0])} = ", "")
    return [start + line for line in ast.unparse(node).splitlines()]


def flat(node: ast.expr) -> str:
    """An expression on one line, kept with it: each bracket round it asks again whether it fits."""
    kept = vars(node)
    if "flat" not in kept:
        kept["flat"] = _flat(node)
    return str(kept["flat"])


def _flat(node: ast.expr) -> str:
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"not {flat(operand)}"
        case ast.Constant(value=str() as text):
            return string_literal(text)
        case ast.Call():
            return f"{flat(node.func)}({', '.join(_arguments(node))})"
        case ast.Attribute():
            return f"{flat(node.value)}.{node.attr}"
        case ast.List():
            return f"[{', '.join(flat(item) for item in node.elts)}]"
        case ast.Tuple():
            comma = "," if len(node.elts) == 1 else ""
            return f"({', '.join(flat(item) for item in node.elts)}{comma})"
        case ast.Dict():
            return f"{{{', '.join(_pairs(node))}}}"
        case ast.Compare(left=left, comparators=[right]):
            operator = "==" if isinstance(node.ops[0], ast.Eq) else "!="
            return f"{flat(left)} {operator} {flat(right)}"
        case _:
            return ast.unparse(node)


def _arguments(node: ast.Call) -> list[str]:
    keywords = [f"{one.arg}={flat(one.value)}" if one.arg else f"**{flat(one.value)}" for one in node.keywords]
    return [*(flat(argument) for argument in node.args), *keywords]


def _pairs(node: ast.Dict) -> list[str]:
    return [f"{flat(key)}: {flat(value)}" for key, value in zip(node.keys, node.values, strict=True) if key is not None]


def _fit(node: ast.expr, depth: int, before: str, after: str) -> list[str]:
    """The expression between ``before`` and ``after``: on one line, its contents on one line, or one to a line."""
    line = f"{before}{flat(node)}{after}"
    if len(line) <= WIDTH:
        return [line]
    opened = _opened(node)
    if opened is None:
        return [line]
    head, parts, tail = opened
    inner = INDENT * (depth + 1)
    joined = inner + ", ".join(flat_part for flat_part, _, _ in parts)
    if len(joined) <= WIDTH:
        return [f"{before}{head}", joined, f"{INDENT * depth}{tail}{after}"]
    lines = [f"{before}{head}"]
    for _, prefix, part in parts:
        lines.extend(_fit(part, depth + 1, f"{inner}{prefix}", ","))
    return [*lines, f"{INDENT * depth}{tail}{after}"]


def _opened(node: ast.expr) -> tuple[str, Sequence[tuple[str, str, ast.expr]], str] | None:
    """(head, parts as (flat text, prefix, expression), tail) of what can be broken between brackets."""
    match node:
        case ast.Call() if node.args or node.keywords:
            parts = [(flat(argument), "", argument) for argument in node.args]
            parts += [
                (f"{one.arg}={flat(one.value)}", f"{one.arg}=", one.value)
                for one in node.keywords
                if one.arg is not None
            ]
            return f"{flat(node.func)}(", parts, ")"
        case ast.List() if node.elts:
            return "[", [(flat(item), "", item) for item in node.elts], "]"
        case ast.Tuple() if node.elts:
            return "(", [(flat(item), "", item) for item in node.elts], ")"
        case ast.Dict() if node.keys:
            parts = [
                (f"{flat(key)}: {flat(value)}", f"{flat(key)}: ", value)
                for key, value in zip(node.keys, node.values, strict=True)
                if key is not None
            ]
            return "{", parts, "}"
        case _:
            return None


def escape_binds(sql: str) -> str:
    """SQL as ``sqlalchemy.text`` must be given it, so that a colon in a literal is no bound parameter."""
    # SQLAlchemy's own patterns: what may be in a name has changed between its versions.
    return BIND_PARAMS.sub(r"\\\g<0>", BIND_PARAMS_ESC.sub(r"\\\g<0>", sql))


# The parts that a revision's functions are put together from.


@dataclass(frozen=True, slots=True)
class Source:
    """Statements written here, under comments that tell the reader what to look at."""

    code: str = ""
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Directive:
    """One of Alembic's operations outside a batch."""

    operation: ops.MigrateOperation


@dataclass(frozen=True, slots=True)
class Choice:
    """The statements of one dialect's writer, and for every other dialect the pieces that say the same."""

    dialect: str
    statements: tuple[str, ...]
    otherwise: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations on one table that SQLite carries out by rebuilding it, and other databases one by one."""

    table: str
    schema: str | None
    operations: tuple[ops.MigrateOperation, ...]

    def joined(self, other: Batch) -> Batch:
        """Both in one rebuild."""
        return Batch(self.table, self.schema, (*self.operations, *other.operations))


@dataclass(frozen=True, slots=True)
class Said:
    """One of Alembic's operations as source; ``ddl`` is what it sends where that must be held against the writer."""

    call: ast.Call
    imports: frozenset[str]
    ddl: sa.schema.CreateTable | None


type Piece = Source | Directive | Said | Batch | Choice


@dataclass(slots=True)
class Script:
    """What a revision does and how it is taken back.

    ``down`` holds for each step the pieces that undo it; steps are undone last first.
    """

    up: list[Piece] = field(default_factory=list)
    down: list[tuple[Piece, ...]] = field(default_factory=list)
    review: dict[str, None] = field(default_factory=dict)

    def add(self, up: Piece | tuple[Piece, ...], down: Piece | tuple[Piece, ...]) -> None:
        """One step, with what undoes it, each in the order of execution."""
        self.up.extend(up if isinstance(up, tuple) else (up,))
        self.down.append(down if isinstance(down, tuple) else (down,))

    def note(self, line: str) -> None:
        """A line of the review list; the same line once."""
        self.review.setdefault(line)

    def upgrade(self) -> list[Piece]:
        """The pieces that go up, neighbouring batches of one table joined."""
        return _joined(self.up)

    def downgrade(self) -> list[Piece]:
        """The pieces that go down."""
        return _joined([piece for step in reversed(self.down) for piece in step])


def _joined(pieces: list[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if (
            isinstance(piece, Batch)
            and isinstance(last, Batch)
            and (piece.table, piece.schema) == (last.table, last.schema)
            and not _altered(piece) & _altered(last)
        ):
            found[-1] = last.joined(piece)
        elif not (isinstance(piece, Source) and piece == last):
            # Labels that were added one by one go together, by one and the same call.
            found.append(piece)
    return found


def _altered(batch: Batch) -> set[str]:
    """Columns that a batch alters or adds: what is then made of them needs a batch of its own."""
    found: set[str] = set()
    for operation in batch.operations:
        if isinstance(operation, ops.AlterColumnOp):
            found.add(operation.column_name)
        elif isinstance(operation, ops.AddColumnOp):
            found.add(operation.column.name)
    return found


# Names that a revision file needs where the model has none: file names, and names to drop constraints by.


SLUG_LENGTH = 40


def slug(message: str) -> str:
    """A message as part of a file name: ASCII letters and digits, at most 40 characters, never empty."""
    plain = unicodedata.normalize("NFKD", message).encode("ascii", "ignore").decode().lower()
    text = "_".join(re.findall(r"[a-z0-9]+", plain))
    if len(text) > SLUG_LENGTH:
        text = text[:SLUG_LENGTH].rsplit("_", 1)[0]
    return text or "revision"


def file_name(revision: str, message: str) -> str:
    """The name of a revision file: its id, then what it is about."""
    return f"{revision}_{slug(message)}.py"


def constraint_name(table: TableName, constraint: Constraint, columns: Collection[str] = ()) -> str:
    """The name by which a revision drops a constraint; ``columns`` are those of the table."""
    return known_as(constraint) or standard_name(constraint, Place(table, columns))
