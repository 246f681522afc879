"""Tries a revision out on a scratch database with rows made up for it, and stores the outcome in its file."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import re
import secrets
import shutil
import tempfile
import textwrap
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.adapters.sql.dialects.base import Rehearsal, SqlDialect
from framework_m_migrations.adapters.sql.engines import parse_url, redact, secrets_of, show_url
from framework_m_migrations.adapters.sql.ledger import ENGINE_TABLES
from framework_m_migrations.adapters.sql.revisions.failures import cause_of
from framework_m_migrations.adapters.sql.revisions.squash import Squasher
from framework_m_migrations.adapters.sql.revisions.track import AlembicTrack
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.defined import Dump, differences
from framework_m_migrations.domain.errors import ConfigurationError, MigrationError, RevisionFailed
from framework_m_migrations.domain.revisions import Outcome, Proof, SquashDraft, SquashResult
from framework_m_migrations.domain.schema import Catalog, Column, Table, TableName

_WIDTH = 116
_LABEL = "Proof: "
_STORED = re.compile(r"^(?P<comment># )?Proof: (?P<first>[^\n]*)(?P<more>(?:\n(?:# )?    [^\n]+)*)\n?", re.MULTILINE)
_DIGEST = re.compile(r" \[code ([0-9a-f]{8})\]$")
_HEADER = re.compile(r"^(?:Revision ID|Revises|Depends on|Create Date|Branch Labels): ?[^\n]*\n", re.MULTILINE)
_TRIPLE = re.compile(r"""[rRuU]?(\"{3}|'{3})""")


@dataclass(frozen=True, slots=True)
class StoredProof:
    """What a file says of its proof; ``current`` is False where its code has changed since."""

    text: str
    current: bool


def stored_proof(file: Path) -> StoredProof | None:
    """The proof that a revision's file holds, None where it has none."""
    text, _ = _read(file)
    docstring = _docstring(text)
    found = _STORED.search(text, 0, docstring[1] if docstring is not None else len(text))
    if found is None:
        return None
    words = " ".join((found["first"] + found["more"].replace("\n# ", "\n")).split()).replace("\\\\", "\\")
    digest = _DIGEST.search(words)
    current = digest is not None and digest[1] == _digest(text)
    return StoredProof(_DIGEST.sub("", words), current)


def store_proof(file: Path, words: str) -> str:
    """Write the outcome of a proof into a revision's file, in place of an earlier one; its code stays as it is.

    Args:
        file: of the revision.
        words: one line.

    Returns:
        The new text of the file.

    Raises:
        OSError: it cannot be written.
        ValueError: the file cannot be changed without changing its code.
    """
    text, encoding = _read(file)
    bare = _without(text)
    made = _with(bare, f"{_printable(words)} [code {_digest(text)}]")
    if _code(made) != _code(text):
        raise ValueError("the file has a form that cannot be changed safely")
    temporary = file.with_name(f".#{file.name}")
    try:
        with temporary.open("w", encoding=encoding, newline="") as stream:
            stream.write(made)
        shutil.copymode(file, temporary)
        temporary.replace(file)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return made


def _read(file: Path) -> tuple[str, str]:
    data = file.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding), encoding


def _printable(words: str) -> str:
    shown = "".join(char for char in " ".join(words.split()) if char.isprintable())
    return shown.replace('"""', "'").replace("'''", "'")


def _docstring(text: str) -> tuple[int, int] | None:
    """Where the triple-quoted docstring of a module begins and ends; None where there is none."""
    body = ast.parse(text).body
    if not body or not isinstance(body[0], ast.Expr):
        return None
    value = body[0].value
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return None
    start, end = _offset(text, value.lineno, value.col_offset), _offset(text, value.end_lineno, value.end_col_offset)
    return (start, end) if _TRIPLE.match(text, start) and text[start:end].count(text[end - 3 : end]) == 2 else None


def _offset(text: str, line: int | None, column: int | None) -> int:
    lines = text.splitlines(keepends=True)
    at = (line or 1) - 1
    before = sum(len(one) for one in lines[:at])
    return before + len(lines[at].encode()[: column or 0].decode())


def _without(text: str) -> str:
    docstring = _docstring(text)
    end = docstring[1] if docstring is not None else len(text)
    found = _STORED.search(text, 0, end)
    if found is None:
        return text
    start, stop = found.span()
    # The blank line that came with it goes along.
    if found["comment"] is None and text[:start].endswith("\n\n") and text[stop : stop + 3] in {'"""', "'''"}:
        start -= 1
    return text[:start] + text[stop:]


def _with(text: str, words: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    docstring = _docstring(text)
    if docstring is None:
        lines = textwrap.wrap(_LABEL + words, _WIDTH, subsequent_indent="    ", break_long_words=False)
        comment = "".join(f"# {line}{newline}" for line in lines)
        first = re.match(r"(?:#![^\n]*\n)?(?:[ \t]*#[^\n]*coding[:=][^\n]*\n)?", text)
        place = first.end() if first is not None else 0
        return text[:place] + comment + text[place:]
    start, end = docstring
    opening = _TRIPLE.match(text, start)
    raw = opening is not None and opening[0][0] in "rR"
    shown = words if raw else words.replace("\\", "\\\\")
    lines = textwrap.wrap(_LABEL + shown, _WIDTH, subsequent_indent="    ", break_long_words=False)
    block = newline.join(lines)
    inside = text[start : end - 3]
    header = list(_HEADER.finditer(inside))
    if header:
        place = start + header[-1].end()
        return f"{text[:place]}{block}{newline}{text[place:]}"
    body = inside.rstrip()
    return f"{text[:start]}{body}{newline}{newline}{block}{newline}{text[end - 3 :]}"


def _code(text: str) -> str:
    """The code without its docstring."""
    tree = ast.parse(text)
    if tree.body and isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Constant):
        del tree.body[0]
    return ast.dump(tree)


def _digest(text: str) -> str:
    """Of everything but the docstring and the proof; white space does not count."""
    bare = _without(text)
    docstring = _docstring(bare)
    if docstring is not None:
        bare = bare[: docstring[0]] + bare[docstring[1] :]
    return hashlib.sha256("".join(bare.split()).encode()).hexdigest()[:8]


# Rows made up for a table, by the types of its columns: what a revision is tried with on a scratch database.
#
# Every value is written as a string literal, which each database converts to the column's type. The first row
# is plain, the second has NULL wherever it may, negative numbers and texts as long as the column allows, the
# third empty texts and letters beyond ASCII: what conversions and NOT NULL stumble over.


ROWS = 3
_LONG = 300
_FIRST_KEY = {"smallint": 20001, "tinyint": 101, "mediumint": 20001}
_NUMBERS = ("int", "serial", "numeric", "decimal", "real", "double", "float", "number", "money", "year")
_VALUES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("[",), "{{}}"),
    (("bool",), "{b}"),
    (("json",), '{{"n": {n}}}'),
    (("uuid",), "00000000-0000-4000-8000-00000000000{n}"),
    (("interval",), "{n} days"),
    (("timestamp", "datetime"), "2024-02-0{m} 03:04:05"),
    (("date",), "2024-02-0{m}"),
    (("time",), "03:04:0{n}"),
    (("bytea", "blob", "binary"), "b{n}"),
    (("inet", "cidr"), "10.0.0.{n}"),
    (("range",), "empty"),
)
"""Values by words in the name of a type, the first that fits; ``n`` is the row."""
type Values = dict[str, str | None]
type Send = Callable[[str], str | None]


class SampleRows:
    """Fills the tables of a scratch database.

    Args:
        text: writes names and literals.
        catalog: the tables as they are.
        send: sends a statement; answers with the reason where the database refuses it, else with None.
    """

    def __init__(self, text: SqlText, catalog: Catalog, send: Send) -> None:
        self._text = text
        self._catalog = catalog
        self._send = send
        self._kept: dict[TableName, list[Values]] = {}

    def fill(self) -> tuple[int, tuple[str, ...]]:
        """Insert rows into all tables.

        Returns:
            How many there are, and the tables that took none, each with the database's reason.
        """
        empty: list[str] = []
        for table in _parents_first(self._catalog.tables.values()):
            kept: list[Values] = []
            reason: str | None = None
            self._kept[table.name] = kept
            for number in range(ROWS):
                refused = self._row(table, number)
                reason = reason or refused
            if not kept:
                empty.append(f"table {table.name} takes no generated row: {reason}")
        return sum(len(rows) for rows in self._kept.values()), tuple(empty)

    def _row(self, table: Table, number: int) -> str | None:
        """Insert one row, as odd as the table takes it; None, or why even the plain one is refused."""
        reason: str | None = None
        for variant in dict.fromkeys((number, 0)):
            values = self._values(table, number, variant)
            reason = self._send(self._insert(table, values))
            if reason is None:
                self._kept[table.name].append(values)
                return None
        return reason

    def _insert(self, table: Table, values: Values) -> str:
        text = self._text
        name = text.table(table.name)
        if not values:
            nothing = "() VALUES ()" if text.dialect.supports_empty_insert else "DEFAULT VALUES"
            return f"INSERT INTO {name} {nothing}"
        columns = ", ".join(text.quote(column) for column in values)
        literals = ", ".join("NULL" if value is None else text.literal(value) for value in values.values())
        identities = [one.generated for one in table.columns if one.generated and one.generated.kind == "identity"]
        clause = " OVERRIDING SYSTEM VALUE" if any(one.always for one in identities) else ""
        return f"INSERT INTO {name} ({columns}){clause} VALUES ({literals})"  # noqa: S608 - quoted

    def _values(self, table: Table, number: int, variant: int) -> Values:
        keys = set(table.primary_key.columns) if table.primary_key is not None else set()
        found: Values = {}
        for column in table.columns:
            if column.generated is not None and column.generated.kind == "computed":
                continue
            if variant == 1 and column.nullable and column.name not in keys:
                found[column.name] = None
            else:
                found[column.name] = self._value(column, number, variant, key=column.name in keys)
        for foreign in table.foreign_keys:
            targets = self._kept.get(foreign.target, [])
            target = targets[min(number, len(targets) - 1)] if targets else None
            if foreign.target == table.name:
                target = found
            for name, referred in zip(foreign.columns, foreign.target_columns, strict=True):
                if name not in found or found[name] is None:
                    continue
                nullable = any(column.name == name and column.nullable for column in table.columns)
                if target is not None and target.get(referred) is not None:
                    found[name] = target[referred]
                elif nullable and name not in keys:
                    found[name] = None
        return found

    def _value(self, column: Column, number: int, variant: int, *, key: bool) -> str:
        kind = column.type
        base = (kind.base or kind.spelling).lower()
        if kind.enum is not None and kind.enum in self._catalog.enums:
            labels = self._catalog.enums[kind.enum].values
            return labels[number % len(labels)] if labels else ""
        if base.startswith(("enum", "set")):
            return _first_label(kind.spelling)
        if base.startswith("bit"):
            return "1" * (kind.length or 1)
        if kind.spelling.lower() == "tinyint(1)":
            return str(number % 2)
        if "[" not in kind.spelling and any(word in base for word in _NUMBERS) and "interval" not in base:
            return self._number(column, base, number, variant, key=key)
        for words, value in _VALUES:
            if any(word in kind.spelling.lower() or word in base for word in words):
                return value.format(n=number, m=number + 1, b=number % 2)
        return self._text_value(kind.length, number, variant)

    def _number(self, column: Column, base: str, number: int, variant: int, *, key: bool) -> str:
        if base == "year":
            return str(2000 + number)
        if key or (column.generated is not None):
            # Far from where a sequence begins: a revision may insert rows of its own.
            return str(_FIRST_KEY.get(base, 1000001) + number)
        precision, scale = column.type.precision, column.type.scale or 0
        if precision is not None and precision - scale < 2:
            return str(number % 10) if precision > scale else "0"
        return str(-7 - number if variant == 1 else 11 + number)

    def _text_value(self, length: int | None, number: int, variant: int) -> str:
        mark = f"{number}"
        plain = {0: f"text {mark}", 1: mark + "x" * (_LONG - 1), 2: f"Ünï {mark}"}[variant]
        return plain[-length:] if length is not None and variant != 1 else plain[: length or _LONG]


def _first_label(spelling: str) -> str:
    inner = spelling.partition("(")[2]
    return inner.split("'")[1] if inner.count("'") > 1 else ""


def _parents_first(tables: Iterable[Table]) -> Sequence[Table]:
    """Tables after those that they refer to; a circle in the order given."""
    by_name = {table.name: table for table in tables}
    done: dict[TableName, Table] = {}

    def place(table: Table, above: frozenset[TableName]) -> None:
        if table.name in done or table.name in above:
            return
        for key in table.foreign_keys:
            if key.target in by_name:
                place(by_name[key.target], above | {table.name})
        done[table.name] = table

    for table in by_name.values():
        place(table, frozenset())
    return list(done.values())


# Tries a revision out: forwards, backwards and forwards on a scratch database. Implements ports.prover.Prover.


PREFIX = "fmm_scratch_"
_WAYS = (
    "Give the role the right to create databases, or name an empty database with --scratch-url; "
    "--no-prove leaves the proof out."
)
_BEFORE = "Prove it on a database that has the revisions before it and not this one."
type Rows = dict[TableName, list[dict[str, object]]]
type OpenEngine = Callable[[sa.URL], sa.Engine]


def scratch_prefix(database: str) -> str:
    """How the names of scratch databases beside a database begin."""
    return f"{PREFIX}{hashlib.sha256(database.encode()).hexdigest()[:8]}_"


class _NotTried(Exception):
    """There is no proof to be had; the reason, and what helps."""

    def __init__(self, reason: str, next_step: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


@dataclass(frozen=True, slots=True)
class _State:
    """What a scratch database holds at one moment."""

    dump: Dump
    rows: Rows


class SqlProver:
    """Implements ports.prover.Prover.

    Args:
        connection: the session's; read only.
        sql_dialect: its dialect.
        track: its revisions.
        open_engine: makes an engine for a URL, as container.engines.twin_engine does.
        fallback: the dialect of scratch databases where there are none of the session's kind.
        schema: the session's schema, None for the connection's default.
    """

    def __init__(
        self,
        connection: sa.Connection,
        sql_dialect: SqlDialect,
        track: AlembicTrack,
        open_engine: Callable[[sa.URL], sa.Engine],
        *,
        fallback: SqlDialect,
        schema: str | None = None,
    ) -> None:
        self._connection = connection
        self._sql_dialect = sql_dialect
        self._fallback = fallback
        self._track = track
        self._open = open_engine
        self._schema = schema

    def prove(self, revision: str, *, scratch: str | None = None) -> Proof:
        """See Prover."""
        self._track.library().script(revision)
        rehearsal = self._sql_dialect.rehearsal()
        if rehearsal is None:
            reason = f"there are no scratch databases for {self._sql_dialect.name}"
            return Proof(revision, Outcome.NOT_TRIED, (reason,))
        try:
            with self._scratch(rehearsal, scratch) as engine:
                return _Trial(self, rehearsal, engine, revision).outcome()
        except _NotTried as error:
            return Proof(revision, Outcome.NOT_TRIED, (error.reason.rstrip("."),), next_step=error.next_step)

    def squash(self, draft: SquashDraft, *, scratch: str | None = None, dry_run: bool) -> SquashResult:
        """See Prover."""
        try:
            return self._squasher(self._sql_dialect, scratch).squash(draft, dry_run=dry_run)
        except _NotTried as error:
            found = self._squasher(self._fallback, None).squash(draft, dry_run=dry_run)
            return replace(found, notes=(*found.notes, f"Proven on SQLite: {error.reason}. {error.next_step}".strip()))

    def _squasher(self, sql_dialect: SqlDialect, scratch: str | None) -> Squasher:
        rehearsal = sql_dialect.rehearsal()
        if rehearsal is None:
            raise _NotTried(f"there are no scratch databases for {sql_dialect.name}")
        own = sql_dialect.name == self._sql_dialect.name
        schema = self._schema if own else None
        name, version_schema = self._track._version_table_name()  # noqa: SLF001 - the track's own

        @contextmanager
        def empty() -> Iterator[sa.Engine]:
            with self._scratch(rehearsal, scratch if own else None) as engine:
                if schema is not None:
                    with _autocommit(engine) as connection:
                        rehearsal.schema(connection, schema)
                yield engine

        def state(connection: sa.Connection) -> tuple[Dump, dict[str, list[str]]]:
            found = _state(connection, sql_dialect, rehearsal, schema, frozenset((*ENGINE_TABLES, name)))
            return found.dump, {str(table): sorted(map(repr, rows)) for table, rows in found.rows.items()}

        return Squasher(
            self._track.library(),
            self._connection,
            sql_dialect,
            self._track._surroundings,  # noqa: SLF001
            (name, version_schema if own else None),
            empty,
            state,
            rehearsal.title,
        )

    def store(self, proof: Proof, day: str) -> Proof:
        """See Prover."""
        file = Path(self._track.library().script(proof.revision).path)
        try:
            store_proof(file, proof.line(day))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            return replace(proof, notes=(*proof.notes, f"the outcome is not stored in {file}: {reason}"))
        return replace(proof, stored=True)

    def text(self, revision: str) -> str:
        """See Prover."""
        return Path(self._track.library().script(revision).path).read_text(encoding="utf-8")

    @contextmanager
    def _scratch(self, rehearsal: Rehearsal, given: str | None) -> Iterator[sa.Engine]:
        """An engine for an empty database; what was made for it is gone afterwards."""
        if given is not None:
            with self._given(rehearsal, given) as engine:
                yield engine
        else:
            with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
                url = rehearsal.url(Path(folder))
                with self._made(rehearsal) if url is None else self._engine(url) as engine:
                    yield engine

    @contextmanager
    def _given(self, rehearsal: Rehearsal, given: str) -> Iterator[sa.Engine]:
        url = parse_url(given)
        if url.get_backend_name() != self._connection.dialect.name:
            raise ConfigurationError(
                f"The scratch database {show_url(url)} is not of the same kind as the session's database, "
                f"{self._connection.dialect.name}.",
                next_step="Name a database of the same kind with --scratch-url.",
            )
        with self._engine(url) as engine:
            with _autocommit(engine) as connection:
                # A schema alone, PostgreSQL's public for one, holds nothing.
                held = sorted(name for name in rehearsal.dump(connection) if not name.startswith(("schema ", "ext")))
            if held:
                raise ConfigurationError(
                    f"The scratch database {show_url(url)} is not empty: it holds {held[0]}.",
                    next_step="Name an empty database with --scratch-url: it is cleared after each proof.",
                )
            try:
                yield engine
            finally:
                with _autocommit(engine) as connection:
                    rehearsal.clear(connection)

    @contextmanager
    def _made(self, rehearsal: Rehearsal) -> Iterator[sa.Engine]:
        url = self._connection.engine.url
        name = f"{scratch_prefix(url.database or '')}{secrets.token_hex(4)}"
        with self._engine(url) as own:
            with _autocommit(own) as connection:
                try:
                    rehearsal.make(connection, name)
                except sa.exc.DBAPIError as error:
                    reason = f"the server did not create a scratch database: {_short(error)}"
                    raise _NotTried(reason, _WAYS) from error
            try:
                with self._engine(url.set(database=name)) as engine:
                    yield engine
            finally:
                with _autocommit(own) as connection:
                    rehearsal.drop(connection, name)

    @contextmanager
    def _engine(self, url: sa.URL) -> Iterator[sa.Engine]:
        engine = self._open(url)
        try:
            try:
                engine.connect().close()
            # Drivers raise errors of their own beside SQLAlchemy's and OSErrors.
            except Exception as error:
                text = redact(" ".join(str(getattr(error, "orig", None) or error).split()), secrets_of(url))
                raise _NotTried(f"no connection to the scratch database {show_url(url)}: {text}", _WAYS) from error
            yield engine
        finally:
            engine.dispose()


class _Trial:
    """One revision on one empty database."""

    def __init__(self, prover: SqlProver, rehearsal: Rehearsal, engine: sa.Engine, revision: str) -> None:
        self._prover = prover
        self._rehearsal = rehearsal
        self._engine = engine
        self._revision = revision
        self._source = prover._connection  # noqa: SLF001 - one thing in two classes
        self._sql_dialect = prover._sql_dialect  # noqa: SLF001
        self._original = prover._track  # noqa: SLF001
        self._schema = prover._schema  # noqa: SLF001

    def outcome(self) -> Proof:
        """Run it, and judge what is left."""
        notes = list(self._prepare())
        with _autocommit(self._engine) as connection:
            count, empty = self._fill(connection)
            notes += empty
            blank = Proof(
                self._revision,
                Outcome.PROVED,
                database=self._rehearsal.product(connection),
                rows=count,
                notes=tuple(notes),
            )
        with self._engine.connect() as connection:
            return self._run(self._original.on(connection), connection, blank)

    def _prepare(self) -> tuple[str, ...]:
        """Bring the scratch database to the state from before the revision."""
        graph = self._original.graph()
        current = self._original.current()
        if unknown := sorted(current - graph.by_id.keys()):
            raise _NotTried(f"the database is at {', '.join(unknown)}, which no installed app has")
        applied = graph.closure(current)
        needed = graph.closure([self._revision]) - {self._revision}
        notes: tuple[str, ...] = ()
        if self._revision in applied:
            # The database is past it: only the revisions themselves lead to the state from before.
            applied = frozenset()
            with _autocommit(self._engine) as connection:
                if self._schema is not None:
                    self._rehearsal.schema(connection, self._schema)
        else:
            with _autocommit(self._engine) as connection:
                notes = self._rehearsal.copy(self._source, connection)
        missing = [name for name in graph.order if name in needed and name not in applied]
        with self._engine.connect() as connection:
            track = self._original.on(connection)
            try:
                track.stamp(sorted(applied))
                for name in missing:
                    track.upgrade(name)
            except (MigrationError, sa.exc.SQLAlchemyError) as error:
                raise _NotTried(
                    f"the revisions before it do not run on an empty database: {_short(error)}", _BEFORE
                ) from error
        return tuple(f"not copied: {note}" for note in notes)

    def _fill(self, connection: sa.Connection) -> tuple[int, tuple[str, ...]]:
        inspector = self._sql_dialect.inspector(connection, schema=self._schema, ignored=self._ignored())
        target = Target.of(connection.dialect, self._sql_dialect, schema=self._schema)
        text: SqlText = target.text

        def send(sql: str) -> str | None:
            try:
                connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).close()
            except sa.exc.DBAPIError as error:
                return " ".join(str(error.orig).split())
            return None

        return SampleRows(text, inspector.read(None), send).fill()

    def _ignored(self) -> frozenset[str]:
        name, _ = self._original._version_table_name()  # noqa: SLF001 - the track's own
        return frozenset((*ENGINE_TABLES, name))

    def _run(self, track: AlembicTrack, connection: sa.Connection, blank: Proof) -> Proof:
        before = self._state(connection)
        if (reason := _failure(track.upgrade, self._revision)) is not None:
            return replace(blank, outcome=Outcome.FAILED, reasons=(reason,))
        after = self._state(connection)
        if (reason := _failure(track.downgrade, self._revision)) is not None:
            return replace(blank, outcome=Outcome.ONE_WAY, reasons=(reason,))
        back = self._state(connection)
        losses = (*_lost(before.rows, back.rows), *_prefixed(differences(before.dump, back.dump)))
        if (reason := _failure(track.upgrade, self._revision)) is not None:
            said = f" (after backwards: {'; '.join(losses)})" if losses else ""
            return replace(blank, outcome=Outcome.FAILED, reasons=(f"forwards a second time: {reason}{said}",))
        again = self._state(connection)
        unlike = differences(after.dump, again.dump)
        if unlike and not losses:
            return replace(blank, outcome=Outcome.FAILED, reasons=(f"forwards a second time: {unlike[0]}", *unlike[1:]))
        return replace(blank, outcome=Outcome.LOSSY, reasons=losses) if losses else blank

    def _state(self, connection: sa.Connection) -> _State:
        return _state(connection, self._sql_dialect, self._rehearsal, self._schema, self._ignored())


def _state(
    connection: sa.Connection,
    sql_dialect: SqlDialect,
    rehearsal: Rehearsal,
    schema: str | None,
    ignored: frozenset[str],
) -> _State:
    try:
        dump = {
            name: definition
            for name, definition in rehearsal.dump(connection).items()
            if not ignored & {part.rpartition(".")[2] for part in name.split(" ")}
        }
        tables = sql_dialect.inspector(connection, schema=schema, ignored=ignored).read(None).tables
        rows = {name: rehearsal.rows(connection, _placed(name, schema)) for name in tables}
    finally:
        connection.rollback()
    return _State(dump, rows)


def _placed(name: TableName, schema: str | None) -> TableName:
    return name if name.schema is not None or schema is None else TableName(name.name, schema)


def _autocommit(engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _failure(step: Callable[[str], None], revision: str) -> str | None:
    """Run a step; why it failed, None where it did not."""
    try:
        step(revision)
    except Exception as error:  # noqa: BLE001 - a revision is the user's own code, which may raise anything
        return _short(error)
    return None


def _short(error: BaseException) -> str:
    """What went wrong, without where the file is and what became of the transaction."""
    cause = error.__cause__
    if isinstance(error, RevisionFailed) and cause is not None:
        return _short(cause)
    return cause_of(error).rstrip(".")


def _lost(before: Rows, after: Rows) -> list[str]:
    """Rows and values that are not there any more."""
    found: list[str] = []
    for table, was in before.items():
        now = after.get(table, [])
        if not was or _counted(was) == _counted(now):
            continue
        if len(was) != len(now):
            found.append(f"{len(was) - len(now) if len(now) < len(was) else 'more'} rows of {table}")
            continue
        columns = [name for name in was[0] if _column(was, name) != _column(now, name)]
        found.extend(f"{_part(was, now, name)} of {table}.{name}" for name in columns)
        if not columns and now and was[0].keys() == now[0].keys():
            found.append(f"which values of {table} belong together")
    return found


def _part(was: list[dict[str, object]], now: list[dict[str, object]], name: str) -> str:
    return "the NULLs" if set(_column(was, name) - _column(now, name)) == {repr(None)} else "the values"


def _counted(rows: list[dict[str, object]]) -> Counter[str]:
    return Counter(repr(sorted(row.items())) for row in rows)


def _column(rows: list[dict[str, object]], name: str) -> Counter[str]:
    return Counter(repr(row.get(name)) for row in rows)


def _prefixed(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Differences of definitions after "goes back with loss of"."""
    return tuple(f"the definition ({phrase})" for phrase in phrases)
