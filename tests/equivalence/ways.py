"""One pair of schemas, three ways: ``create_all(B) == sync(A), sync(B) == sync(A), create(B), run``.

And after ``rollback``, which sends what ``rollback --sql`` printed unless that says that it may not, the schema is A,
after ``run`` again it is B. Rows are equal at each place, or the review list names the column whose values were lost.
What sync withholds it does not build; that is left to the revision. ``run`` sends what ``plan`` showed. All is judged
by the database's own dump.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.changes import (
    ColumnAdded,
    ColumnNullabilityChanged,
    ForeignKeyRemoved,
    TableAdded,
    UniqueRemoved,
)
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.lowering import is_required
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.results import CreateResult, PlanResult
from framework_m_migrations.domain.risk import rules
from framework_m_migrations.ports.app_discovery import App
from tests.equivalence.judges import Dump, difference, tokens_of, under_new_columns, under_new_names
from tests.equivalence.places import Places, Rows

type Define = Callable[[sa.MetaData], object]

APP = "shop"
RENAMED = "renamed_from"


@dataclass(frozen=True)
class Pair:
    """What is declared before and after, and what is in the tables meanwhile.

    Attributes:
        before: declares A.
        after: declares B.
        rows: INSERT statements for A.
        fits: the rows may stay as they are in B. Where they may not, the revision may fail, and then nothing changed.
    """

    before: Define
    after: Define
    rows: tuple[str, ...] = ()
    fits: bool = True


_LOOSE = re.compile(r"NOT NULL: downgrade leaves (.+)\.(.+) nullable|(.+): (.+) has the option \w+; downgrade creates")
"""What the review list says of a column that comes back without its values, or a constraint without an option."""


@dataclass
class Proof:
    """What was found wrong, and what the engine wrote: for the message of a failing test.

    Attributes:
        wrong: how schemas and rows differ from what they should be.
        unlike: what was planned and what was sent, where that differs.
        text: the revisions.
        dialect: of the database.
        left: tables of which the revision leaves something out, which are not compared.
        former: names from before, and what has become of them.
        kept: sequences and domains from before, which stay: nothing tells whether somebody else uses them.
    """

    wrong: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    text: str = ""
    dialect: str = ""
    left: set[str] = field(default_factory=set)
    former: list[tuple[str, str]] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)

    def differ(self, where: str, found: Dump, wanted: Dump, review: Sequence[str] = ()) -> None:
        """Note how a schema differs from what it should be, but for columns that stay nullable by the review list."""
        if self.former:
            anew = under_new_names if self.dialect == "postgresql" else under_new_columns
            found, wanted = (anew(dump, self.former) for dump in (found, wanted))
        loose = [[part for part in match.groups() if part] for line in review if (match := _LOOSE.match(line))]
        self.wrong += [
            f"{where}: {line}"
            for line in difference(found, wanted)
            if line not in self.kept
            and not any(table in line and column in line.replace("~", " ") for table, column in loose)
            and not any(
                re.search(rf"\b{re.escape(table)}(?:\b|_[^;.]+_(?:seq|numbers)\b)", line) for table in self.left
            )
        ]

    @contextmanager
    def noting(self, where: str) -> Iterator[None]:
        """Note an error that nothing justifies."""
        try:
            yield
        except MigrationError as error:
            self.wrong.append(f"{where} failed: {error}")

    def __str__(self) -> str:
        return "\n".join([*self.wrong, *self.unlike, self.text])


def _renamed(metadata: sa.MetaData) -> list[tuple[str, str]]:
    """Former names, and what they have become."""
    named: list[sa.Table | sa.Column[Any]] = [*metadata.tables.values()]
    named += [column for table in metadata.tables.values() for column in table.columns]
    return [(one.info[RENAMED], one.name) for one in named if RENAMED in one.info]


class Apps:
    """One app that keeps its revisions in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def apps(self) -> tuple[App, ...]:
        """See AppDiscovery."""
        return (App(APP, APP, self._folder if self._folder.is_dir() else None, self._folder),)

    def holding(self, revision: str) -> tuple[str, ...]:
        """See AppDiscovery."""
        del revision
        return ()


def metadata_of(define: Define) -> sa.MetaData:
    """What a function declares."""
    metadata = sa.MetaData()
    define(metadata)
    return metadata


class Invalid(Exception):
    """The database itself refuses a schema, or the rows: the pair proves nothing."""


def prove(places: Places, pair: Pair) -> Proof:
    """Try the pair, and say what is wrong.

    Raises:
        Invalid: SQLAlchemy cannot build the schemas in this database, or the rows do not go in.
    """
    proof = Proof(dialect=places.work.dialect)
    if places.work.dialect != "sqlite":
        proof.former = _renamed(metadata_of(pair.after))
    for place in (places.work, places.ideal):
        place.empty()
    shutil.rmtree(places.folder / "versions", ignore_errors=True)
    try:
        before = places.ideal.create_all(metadata_of(pair.before), pair.rows)
        after = places.ideal.create_all(metadata_of(pair.after))
    except sa.exc.SQLAlchemyError as error:
        raise Invalid(str(error)) from error
    names = under_new_names(before, proof.former) if proof.former and proof.dialect == "postgresql" else before
    proof.kept = {f"+ {name}" for name in names if name.startswith(("CREATE SEQUENCE", "CREATE DOMAIN"))}
    revised: Rows | None = None
    withheld = False
    with proof.noting("sync(A), create(B), run"):
        revised = _by_revision(places, pair, before, after, proof)
    places.work.empty()
    with proof.noting("sync(A), sync(B)"):
        withheld = _by_sync(places, pair, after, proof, revised)
    if withheld and places.work.dialect == "postgresql":
        places.work.empty()
        with proof.noting("online"):
            _online(places, pair, before, after, proof)
    return proof


def _manager(places: Places, define: Define, *, online: bool = True) -> MigrationManager:
    settings = MigrationSettings(metadata=(metadata_of(define),), path=places.folder, online=online, allow_empty=True)
    folder = places.folder / "versions"
    return MigrationManager(settings, engine=places.work.engine, overrides={"discovery": lambda context: Apps(folder)})


def _begin(places: Places, pair: Pair) -> Rows:
    """sync(A), with rows."""
    _manager(places, pair.before).sync()
    places.work.execute(*pair.rows)
    return places.work.rows()


def _by_sync(places: Places, pair: Pair, after: Dump, proof: Proof, revised: Rows | None) -> bool:
    """sync(A), sync(B); what was only to be dropped is dropped by ``--allow-drop``. Whether anything was withheld."""
    proof.left = set()
    first = _begin(places, pair)
    manager = _manager(places, pair.after)
    shown = manager.plan(force=True).sql
    with _sent(places.work.engine) as sent:
        done = manager.sync()
    # Existing rows are filled in batches, which a plan shows as one statement.
    planned, found = (
        [said for said in map(_words, _changing(texts)) if not said.startswith(("update ", "with "))]
        for texts in (shown, sent)
    )
    if planned != found:
        proof.unlike += [f"sync planned: {text}" for text in planned]
        proof.unlike += [f"sync sent: {text}" for text in found]
    withheld = bool(done.withheld)
    if withheld and all(item.judgement.handled_by == rules.DROP for item in done.withheld):
        done = manager.sync(allow_drop=True)
    dump = places.work.dump()
    if not done.withheld:
        proof.differ("sync(A), sync(B)", dump, after)
        if revised is not None:
            rows, revised = (_without_moments(one, pair) for one in (places.work.rows(), revised))
            if rows != revised:
                proof.wrong.append(f"rows after sync and after run: {rows} {revised}")
    elif not difference(dump, after):
        proof.wrong.append(f"withheld, and yet nothing is left to do: {_said(done.withheld)}")
    else:
        _same_values("sync(A), sync(B)", first, places.work.rows(), pair, (), proof)
    return withheld


def _without_moments(rows: Rows, pair: Pair) -> Rows:
    """The rows without what the clock said when they were written."""
    clocked = {
        (table.name, column.name)
        for table in metadata_of(pair.after).tables.values()
        for column in table.columns
        if isinstance(column.server_default, sa.DefaultClause)
        and re.search(r"current_timestamp|now", str(column.server_default.arg), re.IGNORECASE)
    }
    return {
        table: {key: {name: row[name] for name in row if (table, name) not in clocked} for key, row in found.items()}
        for table, found in rows.items()
    }


def _by_revision(places: Places, pair: Pair, before: Dump, after: Dump, proof: Proof) -> Rows | None:
    """sync(A), create(B), run, rollback, run. The rows after it, or None where there was nothing to run."""
    first = _begin(places, pair)
    proof.differ("sync(A)", places.work.dump(), before)
    manager = _manager(places, pair.after)
    # A revision is one transaction, in which nothing is built in the background.
    shown = _manager(places, pair.after, online=False).plan(force=True)
    made = manager.create("change", app=APP, prove=False)
    proof.text = "\n".join([made.text, *made.review, *made.left_out])
    review, left = _review(made), _left_out(made)
    proof.left = left
    if made.revision is None:
        if not left:
            proof.differ("nothing to create", places.work.dump(), after)
        return None
    try:
        with _sent(places.work.engine) as sent:
            manager.run()
    except MigrationError as error:
        if pair.fits:
            proof.wrong.append(f"run failed: {error}")
        elif places.work.dialect != "mariadb":
            proof.differ("after a failed run", places.work.dump(), before)
            if places.work.rows() != first:
                proof.wrong.append(f"rows after a failed run: {places.work.rows()}, not {first}")
        return None
    if not left:
        _same_sql(shown, sent, proof)
    proof.differ("run", places.work.dump(), after)
    second = places.work.rows()
    _same_values("run", first, second, pair, review, proof)
    again = manager.plan(force=True)
    if not again.plan.is_empty and not left:
        proof.wrong.append(f"planned after run: {_said(again.plan.changes)}")
    try:
        [(_, printed)] = manager.preview_rollback(app=APP, to="base").revisions
        with _sent(places.work.engine) as sent:
            manager.rollback(app=APP, to="base")
        if not printed.notes and printed.unknown is None:
            # On MariaDB a key takes the place of the index that a foreign key was left with.
            _same_words("rollback", printed.statements, [_FREED.sub("", one) for one in sent], proof)
        proof.differ("rollback", places.work.dump(), before, review)
        _same_values("rollback", second, places.work.rows(), pair, review, proof, back=True)
        manager.run()
        proof.differ("run again", places.work.dump(), after)
        _same_values("run again", second, places.work.rows(), pair, review, proof, again=True)
    except MigrationError as error:
        # A column comes back with its default in each row, which a constraint may not bear.
        lost = any("is dropped with its values" in line for line in review)
        if not lost or not re.search("unique|duplicate|violate|foreign key", str(error), re.IGNORECASE):
            proof.wrong.append(f"rollback and run failed: {error}")
    return None if left else second


def _online(places: Places, pair: Pair, before: Dump, after: Dump, proof: Proof) -> None:
    """sync(A), create --online (B), both halves."""
    shutil.rmtree(places.folder / "versions", ignore_errors=True)
    first = _begin(places, pair)
    manager = _manager(places, pair.after)
    made = manager.create("change", app=APP, online=True, prove=False)
    halves = [half for half in (made, made.contract) if half is not None and half.revision is not None]
    if not halves:
        return
    proof.text = "\n".join([proof.text, *(half.text for half in halves)])
    proof.left = _left_out(made)
    proof.left |= {new for old, new in proof.former if old in proof.left}
    review = [line for half in halves for line in _review(half)]
    try:
        manager.run()
        manager.run(contract=True)
        manager.sync()
    except MigrationError as error:
        if pair.fits:
            proof.wrong.append(f"online: run failed: {error}")
        return
    proof.differ("online: run", places.work.dump(), after)
    second = places.work.rows()
    _same_values("online: run", first, second, pair, review, proof)
    try:
        manager.rollback(app=APP, to="base")
    except MigrationError as error:
        proof.wrong.append(f"online: rollback failed: {error}")
        return
    if not proof.left:
        proof.differ("online: rollback", places.work.dump(), before, review)
        _same_values("online: rollback", second, places.work.rows(), pair, review, proof, back=True)


def _said(changes: Sequence[PlannedChange]) -> str:
    return "; ".join(f"{type(item.change).__name__} {item.change.table} ({item.judgement.rule})" for item in changes)


def _review(made: CreateResult) -> list[str]:
    """The review list as the file has it."""
    mark = "- [ ] "
    return [line.removeprefix(mark) for line in made.text.splitlines() if line.startswith(mark)]


def _left_out(made: CreateResult) -> set[str]:
    """The tables of which a part is left out of the revision, as it is not the revision's to drop."""
    return {line.split(":")[0] for line in made.left_out}


# --- rows

_ABOUT_NAMES = ("old code still uses the old name", "are kept equal until", "needs a value in existing rows")
"""Lines of the review list that name a column whose values stay."""


def _same_values(
    where: str,
    first: Rows,
    now: Rows,
    pair: Pair,
    review: Sequence[str],
    proof: Proof,
    *,
    back: bool = False,
    again: bool = False,
) -> None:
    """Each row is there, with each value of a column that both schemas have."""
    names = _names(pair, now, back=back, again=again)
    losses = "\n".join(line for line in review if not any(words in line for words in _ABOUT_NAMES))
    for table, rows in first.items():
        if table not in names:
            continue
        new_table, columns = names[table]
        for id_, row in rows.items():
            other = now.get(new_table, {}).get(id_)
            if other is None:
                proof.wrong.append(f"{where}: the row {id_} of {table} is gone")
                continue
            for column, called in columns.items():
                new = called if called in other else column
                if column not in row or new not in other:
                    proof.wrong.append(f"{where}: {table}.{column} is not there, or not as {called}")
                    continue
                named = any(f"{one}.{two}" in losses for one, two in ((table, column), (new_table, new)))
                if _essence(row[column]) != _essence(other[new]) and not named:
                    proof.wrong.append(f"{where}: {table}.{column} was {row[column]!r}, is {other[new]!r}")


def _names(pair: Pair, now: Rows, *, back: bool, again: bool) -> dict[str, tuple[str, dict[str, str]]]:
    """Table and column of the rows from before, to what they are called now; only what is in both."""
    old, new = metadata_of(pair.before), metadata_of(pair.after)
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for table in new.tables.values():
        former = old.tables.get(table.info.get(RENAMED, ""))
        source = old.tables.get(table.name) if former is None else former
        if source is None or (table.name not in now and not back):
            continue
        columns = {}
        for column in table.columns:
            former_name = str(column.info.get(RENAMED, ""))
            name = former_name if former_name in source.columns else column.name
            if name in source.columns and not (
                column.computed is not None or source.columns[name].computed is not None
            ):
                columns[name] = column.name
        if again:
            found[table.name] = table.name, {name: name for name in columns.values()}
        elif back:
            found[table.name] = source.name, {new: old for old, new in columns.items()}
        else:
            found[source.name] = table.name, columns
    return found


def _essence(value: object) -> object:
    """What a value means: a type that is changed may give it in another form."""
    match value:
        case bool() | int() | float() | Decimal():
            return float(value)
        case str():
            try:
                return float(value)
            except ValueError:
                return value
        case dt.datetime():
            return value.date().isoformat() if value.time() == dt.time() else value.replace(tzinfo=None).isoformat(" ")
        case _:
            return str(value)


# --- statements

_FREED = re.compile(r", DROP INDEX `[^`]+`\Z")

_ASKS = (
    "SELECT",
    "PRAGMA",
    "SAVEPOINT",
    "RELEASE",
    "ROLLBACK",
    "BEGIN",
    "COMMIT",
    "SET ",
    "SHOW",
    "EXPLAIN",
    "WITH",
    "LOCK TABLE",
)


@contextmanager
def _sent(engine: sa.Engine) -> Iterator[list[str]]:
    """The statements that change something, without those of the engine's own tables."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        sent.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


# Questions that need a table to answer them.
_OWN = ("alembic_version", "__schema_", "m_migrate_trial", "$m_migrate$")


def _changing(statements: Sequence[str]) -> list[str]:
    # SQLAlchemy doubles a percent sign for drivers that take it for a parameter's.
    texts = [" ".join(statement.replace("%%", "%").split()) for statement in statements]
    return [text for text in texts if not text.startswith(_ASKS) and not any(name in text for name in _OWN)]


def _same_sql(shown: PlanResult, sent: Sequence[str], proof: Proof) -> None:
    """``run`` sends what ``plan`` showed.

    But for quotes of names, the case of words, SQLite's ``main``, and the form for busy tables.

    Of one change alone: how a change is written may depend on those made before it. These kinds are left out:

    - a new column that rows need values for, or one that allows NULL no more: sync changes an empty table in one
      statement, and a revision is written for tables with rows too;
    - a foreign key or unique constraint without a name, which nothing but the rebuild of a revision can drop;
    - on MariaDB and SQLite a change of several operations: each says the whole column, or table, as the one before has
      left it, and one batch may bring all about in one rebuild;
    - on MariaDB a new table with indexes, which sync makes in one statement, as each commits by itself. Alembic's
      operations are one for the table and one for each index.
    """
    if len(shown.changes) != 1:
        return
    shown_change = shown.changes[0]
    match shown_change.planned.change:
        case ColumnAdded(column=column) if is_required(column):
            return
        case ColumnNullabilityChanged(column=column) if not column.nullable:
            return
        case ForeignKeyRemoved(foreign_key=item) | UniqueRemoved(unique=item) if item.name is None:
            return
        case TableAdded(definition=table) if table.indexes and proof.dialect == "mariadb":
            return
        case _ if len(shown_change.planned.operations) > 1 and proof.dialect != "postgresql":
            return
    _same_words("run", shown_change.sql, sent, proof)


def _same_words(where: str, shown: Sequence[str], sent: Sequence[str], proof: Proof) -> None:
    planned, found = ([_words(text) for text in _changing(texts)] for texts in (shown, sent))
    if planned != found:
        proof.unlike += [f"{where} shown: {text}" for text in planned]
        proof.unlike += [f"{where} sent: {text}" for text in found]


def _words(text: str) -> str:
    tokens = tokens_of(text.removesuffix(", LOCK=NONE").removesuffix(", LOCK=SHARED"))
    said = " ".join(token if token.startswith("'") else token.casefold() for token in tokens)
    said = re.sub(r"(?<=default )\( (current_timestamp(?: \( \d \))?) \)", r"\1", said)
    # MariaDB takes a number out of its quotes.
    said = re.sub(r"(?<=default )'(-?\d+(?:\.\d+)?)'", r"\1", said)
    # The additive path has no word for taking a default away.
    return said.replace("main . ", "").replace(" set default null", " drop default")
