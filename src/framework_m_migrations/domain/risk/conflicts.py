"""Safe changes that something else stands in the way of: they are withheld, and the reason is told."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import NameInOtherCase
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk.rules import CREATE, DROP, MANUAL
from framework_m_migrations.domain.schema import Column, Index, Table, TableName


def folded(name: str) -> str:
    """A name as databases compare it that fold ASCII letters, and no others."""
    return name.lower() if name.isascii() else "".join(c.lower() if c.isascii() else c for c in name)


def refuse_table(wanted: TableName, existing: frozenset[TableName]) -> None:
    """Go on where a table that is not there is not there in another case either.

    Args:
        wanted: as declared; not among ``existing``.
        existing: every table that there is.

    Raises:
        NameInOtherCase: one of them has the name.
    """
    known = _tables(existing).get((wanted.schema, folded(wanted.name)))
    if known is not None:
        raise NameInOtherCase(
            f"The table {known} is declared as {wanted}, which is the same name to this database. Nothing was changed.",
            next_step=f"Declare it as {known.name}; or rename it in a revision, by way of a third name.",
            details={"declared": str(wanted), "existing": str(known)},
        )


def refuse_column(table: TableName, wanted: str, existing: Iterable[str]) -> None:
    """Go on where a column that is not there is not there in another case either.

    Args:
        table: that it is declared for.
        wanted: as declared; not among ``existing``.
        existing: the columns of the table.

    Raises:
        NameInOtherCase: one of them has the name.
    """
    for known in existing:
        if folded(known) == folded(wanted):
            raise NameInOtherCase(
                f"The column {table}.{known} is declared as {wanted}, which is the same name to this database. "
                "Nothing was changed.",
                next_step=f"Declare it as {known}; or rename it in a revision.",
                details={"declared": f"{table}.{wanted}", "existing": f"{table}.{known}"},
            )


@functools.lru_cache(maxsize=4)
def _tables(names: frozenset[TableName]) -> Mapping[tuple[str | None, str], TableName]:
    return {(name.schema, folded(name.name)): name for name in names}


# Safe changes that something else stands in the way of: they are withheld, and the rest goes on.
#
# It stands in the catalog, or it is another change of the same plan: two tables of which each wants an index of
# one name.


class Obstacle(NamedTuple):
    """What stands in the way of a change.

    ``reason`` is a sentence; ``table`` the one whose index has the name that the change needs, None for anything else.
    ``by_copy`` says that a revision which copies the table brings the change about.
    """

    reason: str
    table: TableName | None = None
    by_copy: bool = False


OBSTRUCTED = "obstructed"
"""The rule by which such changes are withheld."""


class Claim(NamedTuple):
    """A name that a change takes: ``key`` is what decides whether two of them are the same to the database."""

    change: c.Change
    name: str
    key: Hashable


def rivals(claims: Iterable[Claim]) -> dict[c.Change, Obstacle]:
    """An obstacle for each change whose name another change of the same plan takes before it.

    Tables have their names first: one of them is worth more than an index.

    Args:
        claims: in the order of the plan, of names that the database keeps in one place.
    """
    owners: dict[Hashable, c.Change] = {}
    found: dict[c.Change, Obstacle] = {}
    for claim in sorted(claims, key=lambda claim: not isinstance(claim.change, c.TableAdded)):
        owner = owners.setdefault(claim.key, claim.change)
        if owner is not claim.change and owner != claim.change:
            kind = "a foreign key" if isinstance(owner, c.ForeignKeyAdded) else "an index"
            what = "that table" if isinstance(owner, c.TableAdded) else f"{kind} of table {owner.table}"
            found[claim.change] = Obstacle(f"The name {claim.name} is declared for {what} as well.")
    return found


def asked_about(planned: Sequence[PlannedChange], capabilities: Capabilities) -> list[c.Change]:
    """The changes to ask ``Inspector.obstacles`` about, those of new tables too.

    That is every change that sync or a revision would make. Of removals ``Inspector.dependents`` is asked.
    """
    found: list[c.Change] = []
    left = {
        p.change.before for p in planned if isinstance(p.change, c.TableRenamed) and p.change.before != p.change.table
    }
    for p in planned:
        if not _is_made(p) or c.removal(p.change) is not None:
            continue
        if isinstance(p.change, c.TableRenamed) and p.change.table in left:
            continue  # The table of that name gets another one first.
        found.append(p.change)
        if isinstance(p.change, c.TableAdded):
            found.extend(_parts(p.change, capabilities))
    return found


def _is_made(p: PlannedChange) -> bool:
    # A revision drops the declared views over a column whose type it changes, and creates them again.
    views = isinstance(p.change, c.ColumnTypeChanged) and p.change.views
    return not p.withheld or (p.judgement.handled_by == CREATE and not views)


def _parts(
    added: c.TableAdded, capabilities: Capabilities
) -> Iterable[c.IndexAdded | c.UniqueAdded | c.CheckAdded | c.ForeignKeyAdded]:
    for index in added.definition.indexes:
        yield c.IndexAdded(added.table, index)
    for unique in added.definition.uniques:
        # Where a constraint is an index, one of CREATE TABLE has a name that the database makes up.
        if unique.name is not None and not capabilities.unique_is_index:
            yield c.UniqueAdded(added.table, unique)
    for check in added.definition.checks:
        if check.exclusion and check.name is not None:
            yield c.CheckAdded(added.table, check)
    for key in added.definition.foreign_keys:
        if key.name is not None:
            yield c.ForeignKeyAdded(added.table, key)


def withhold_obstructed(
    planned: Sequence[PlannedChange],
    obstacles: Mapping[c.Change, Obstacle],
    going: Collection[TableName],
    capabilities: Capabilities,
) -> list[PlannedChange]:
    """The same changes, those withheld that something stands in the way of.

    Args:
        planned: judged changes of one plan.
        obstacles: what stands in the way of which change.
        going: tables that ``sync --allow-drop`` would drop. With them, and with indexes that it drops, names come free.
        capabilities: as given to ``asked_about``.
    """
    if not obstacles:
        return list(planned)
    free = freed_names(p.change for p in planned)
    result: list[PlannedChange] = []
    for p in planned:
        if p.withheld or not isinstance(p.change, c.TableAdded) or p.change in obstacles:
            why = obstacles.get(p.change) if _is_made(p) else None
            # What a revision makes anyway, it makes by a copy too.
            if why is not None and not (p.withheld and why.by_copy):
                p = replace(p, judgement=_obstructed(p.change, why, going, free))  # noqa: PLW2901
            result.append(p)
            continue
        parts = [part for part in _parts(p.change, capabilities) if part in obstacles]
        indexes = {part.index for part in parts if isinstance(part, c.IndexAdded)}
        uniques = {part.unique for part in parts if isinstance(part, c.UniqueAdded)}
        exclusions = {part.check for part in parts if isinstance(part, c.CheckAdded)}
        keys = {part.foreign_key for part in parts if isinstance(part, c.ForeignKeyAdded)}
        table = p.change.definition
        kept = replace(
            table,
            indexes=tuple(index for index in table.indexes if index not in indexes),
            uniques=tuple(unique for unique in table.uniques if unique not in uniques),
            checks=tuple(check for check in table.checks if check not in exclusions),
            foreign_keys=tuple(key for key in table.foreign_keys if key not in keys),
        )
        result.append(replace(p, change=c.TableAdded(table.name, kept)) if parts else p)
        result.extend(
            replace(p, change=part, judgement=_obstructed(part, obstacles[part], going, free)) for part in parts
        )
    return result


def freed_names(changes: Iterable[c.Change]) -> set[tuple[TableName, str | None]]:
    """The names of indexes and foreign keys that changes give back, each with its table."""
    found: set[tuple[TableName, str | None]] = set()
    for change in changes:
        match change:
            case c.IndexRemoved(index=gone) | c.ForeignKeyRemoved(foreign_key=gone):
                found.add((change.table, gone.name))
            case _:
                pass
    return found


_PLAIN = frozenset(
    {"smallint", "integer", "bigint", "tinyint", "int", "numeric", "decimal", "real", "double", "float", "uuid"}
    | {"double precision", "boolean", "bool", "character", "character varying", "varchar", "char", "date", "time"}
    | {"datetime", "timestamp", "timestamp without time zone", "timestamp with time zone"}
)
"""Types without a surprise, below these sizes, for columns and keys of any database."""
_SIZES = (4000, 60)
_KEY, _ROW, _MANY = 700, 16000, 200
_NULL = re.compile(r"(\w+) IS (?:NOT )?NULL")
_LITERAL = re.compile(r"[-+]?[\d.]+|'(?:[^']|'')*'|TRUE|FALSE|CURRENT_\w+|now\(\)|\(CURRENT_TIMESTAMP\)", re.IGNORECASE)


def doubtful(changes: Iterable[c.Change], tables: Mapping[TableName, Table]) -> list[dict[o.Defining, c.Change]]:
    """What a database might reject whatever the rows, and is worth a trial: by table, what creates it first.

    Args:
        changes: of a plan, not withheld.
        tables: that exist.
    """
    found: dict[TableName, dict[o.Defining, c.Change]] = {}
    changed: set[TableName] = set()
    for change in changes:
        match change:
            case c.TableAdded(definition=table):
                indexes = [index for index in table.indexes if not _is_plain_index(index, table)]
                if indexes or not _is_plain(table):
                    found[table.name] = {o.CreateTable(replace(table, indexes=()), ()): change}
                    found[table.name] |= {
                        o.CreateIndex(table.name, one): c.IndexAdded(table.name, one) for one in indexes
                    }
            case c.ColumnAdded(table=name, column=column) if name in tables:
                found.setdefault(name, {})[o.AddColumn(name, column)] = change
            case c.IndexAdded(table=name, index=index) if name in tables and not _is_plain_index(index, tables[name]):
                found.setdefault(name, {})[o.CreateIndex(name, index)] = change
            case c.CheckAdded(table=name, check=check) if name in tables:
                found.setdefault(name, {})[o.AddCheck(name, check)] = change
            case c.TableRenamed() | c.ColumnRenamed() | c.ColumnTypeChanged():
                changed.add(change.table)
            case _:
                pass
    # Of a table that becomes another one meanwhile the trial would know nothing.
    return [several for name, several in found.items() if name not in changed and not _is_nothing(several)]


def _is_nothing(several: Mapping[o.Defining, c.Change]) -> bool:
    """Only columns that no database rejects."""
    return all(isinstance(one, o.AddColumn) and _is_plain_column(one.column) for one in several)


def _is_plain(table: Table) -> bool:
    keys = [one.columns for one in (table.primary_key, *table.uniques) if one is not None]
    return (
        not (table.checks or table.options or len(table.columns) > _MANY)
        and sum(column.type.length or 0 for column in table.columns) <= _ROW
        and all(map(_is_plain_column, table.columns))
        and all(_is_plain_key(columns, table) for columns in keys)
    )


def _is_plain_column(column: Column) -> bool:
    type_, generated = column.type, column.generated
    sizes = (type_.length or 0) <= _SIZES[0] and (type_.precision or 0) <= _SIZES[1]
    whole = generated is None or (generated.kind != "computed" and "int" in type_.base)
    worded = type_.length is not None or type_.base in {"text", "varchar", "char"}
    default = column.default is None or (
        _LITERAL.fullmatch(column.default) is not None
        and (not column.default.startswith("'") or (worded and len(column.default) <= (type_.length or _KEY) + 2))
    )
    return (
        sizes
        and whole
        and default
        and "COLLATE" not in type_.spelling
        and type_.collation is None
        and (type_.scale or 0) <= (type_.precision or 0)
    )


def _is_plain_index(index: Index, table: Table) -> bool:
    special = index.method or index.options or any(key.column is None for key in index.keys)
    special = special or any(key.modifiers not in {"", "DESC"} for key in index.keys)
    if index.where is not None:
        found = _NULL.fullmatch(index.where)
        special = special or found is None or found[1] not in {column.name for column in table.columns}
    return not special and _is_plain_key([str(key.column) for key in index.keys], table)


def _is_plain_key(names: Sequence[str], table: Table) -> bool:
    columns = [one for one in table.columns if one.name in names]
    texts = sum(one.type.length or 0 for one in columns)
    return texts <= _KEY and all(one.type.base.lower() in _PLAIN for one in columns)


def taken_by(change: c.Change) -> str | None:
    """The declared name that a change takes among those of indexes, tables or foreign keys, None for none."""
    match change:
        case c.IndexAdded(index=index):
            return index.name
        case c.UniqueAdded(unique=unique):
            return unique.name
        case c.CheckAdded(check=check) if check.exclusion:
            return check.name
        case c.ForeignKeyAdded(foreign_key=key):
            return key.name
        case c.TableAdded(table=table):
            return table.name
        case _:
            return None


def _obstructed(
    change: c.Change, obstacle: Obstacle, going: Collection[TableName], free: Collection[tuple[TableName, str | None]]
) -> Judgement:
    if obstacle.by_copy:
        return Judgement(Risk.WARNING, OBSTRUCTED, obstacle.reason, CREATE)
    name = taken_by(change)
    holder = obstacle.table
    dropped = holder is not None and (holder in going or (name is not None and (holder, name) in free))
    return Judgement(Risk.WARNING, OBSTRUCTED, obstacle.reason, DROP if dropped else MANUAL)
