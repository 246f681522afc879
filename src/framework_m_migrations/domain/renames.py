"""Declared renames: what a new name stands for, and what is left over while both names exist.

A rename is declared on the new field or DocType (``renamed_from``). Until it is done the old column or table is the
new one's former self, and all that stands on it is compared under the new name, so that one declared rename is one
change and not a dozen. Between the two phases of an online rename or change of type both columns exist, kept equal by
a trigger: the one that is on its way out is then nobody's to drop but the contract revision's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from framework_m_migrations.domain.schema import (
    Catalog,
    Check,
    Column,
    DocTypeSchema,
    ForeignKey,
    Index,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)

NAME_LIMIT = 63
"""PostgreSQL's longest identifier in bytes."""
COPY_SUFFIX, FORMER_SUFFIX = "__fmm_new", "__fmm_old"

_LITERAL_OR_NAME = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|[A-Za-z_][A-Za-z_0-9$]*""")
_PLAIN = re.compile(r"[a-z_][a-z_0-9]*")

type Spell = Callable[[str], str]
"""How an expression of a database names a column: in quotes where it must."""


def spelt(name: str) -> str:
    """In double quotes unless it is plain."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Rename:
    """A rename that a person chose, or is asked about.

    Attributes:
        table: the table as it is wanted.
        old: the former name of the column, or of the table where ``new`` is None.
        new: the column's new name; None for a rename of the table.
        detail: what both have in common, such as their type.
    """

    table: TableName
    old: str
    new: str | None = None
    detail: str = field(default="", compare=False)

    @property
    def text(self) -> str:
        """As ``create --rename`` takes it."""
        if self.new is None:
            return f"{TableName(self.old, self.table.schema)}:{self.table.name}"
        return f"{self.table}.{self.old}:{self.new}"

    def clashes(self, other: Rename) -> bool:
        """Whether not both can be: something has one former name and one new name."""
        if (self.new is None) is not (other.new is None):
            return False
        if self.new is None:
            return self.table == other.table or (self.old, self.table.schema) == (other.old, other.table.schema)
        return self.table == other.table and (self.old == other.old or self.new == other.new)


def parsed_rename(text: str, wanted: Iterable[Table]) -> Rename | None:
    """The rename that ``table.old:new`` or ``old_table:new_table`` means; None where no wanted table has the new name.

    Args:
        text: as a person writes it.
        wanted: all wanted tables.
    """
    left, _, new = text.strip().rpartition(":")
    if not left or not new:
        return None
    tables = sorted(wanted, key=lambda table: -len(str(table.name)))
    for table in tables:
        prefix = f"{table.name}."
        if left.startswith(prefix) and len(left) > len(prefix) and table.column(new) is not None:
            return Rename(table.name, left.removeprefix(prefix), new)
    for table in tables:
        if new in {table.name.name, str(table.name)}:
            prefix = f"{table.name.schema}." if table.name.schema else ""
            return Rename(table.name, left.removeprefix(prefix))
    return None


def with_renames(doctypes: Sequence[DocTypeSchema], renames: Sequence[Rename]) -> tuple[DocTypeSchema, ...]:
    """The wanted schema as if it declared these renames."""
    if not renames:
        return tuple(doctypes)
    tables = {rename.table: rename.old for rename in renames if rename.new is None}
    columns = {(rename.table, rename.new): rename.old for rename in renames if rename.new is not None}

    def declared(table: Table) -> Table:
        return replace(
            table,
            renamed_from=tables.get(table.name, table.renamed_from),
            columns=tuple(
                replace(column, renamed_from=columns.get((table.name, column.name), column.renamed_from))
                for column in table.columns
            ),
        )

    return tuple(replace(doctype, tables=tuple(declared(table) for table in doctype.tables)) for doctype in doctypes)


def column_candidates(table: TableName, gone: Sequence[Column], come: Sequence[Column]) -> list[Rename]:
    """Pairs of a column that goes and one of the same base type that comes: each may be a rename."""
    return [
        Rename(table, old.name, new.name, f"both {new.type}" if old.type == new.type else f"{old.type} and {new.type}")
        for new in come
        for old in gone
        if old.type == new.type or (old.type.base and old.type.base == new.type.base)
    ]


def table_candidates(gone: Iterable[Table], come: Iterable[Table]) -> list[Rename]:
    """Pairs of a table that goes and one that comes, more than half of whose columns are the same."""
    found: list[Rename] = []
    new_tables = list(come)
    for old in gone:
        have = {(column.name, column.type.base or column.type.spelling) for column in old.columns}
        for new in new_tables:
            want = {(column.name, column.type.base or column.type.spelling) for column in new.columns}
            same = len(have & want)
            if old.name.schema == new.name.schema and same * 2 > max(len(have), len(want)):
                found.append(Rename(new.name, old.name.name, None, f"{same} of {len(want)} columns are the same"))
    return found


def copy_name(name: str) -> str:
    """What the copy of a column, index or constraint is called until it takes its place."""
    return fitted(name, COPY_SUFFIX)


def former_name(name: str) -> str:
    """What a column, index or constraint is called once its copy has taken its place."""
    return fitted(name, FORMER_SUFFIX)


def fitted(name: str, suffix: str) -> str:
    """``name`` with ``suffix``, cut with a hash in between where it would be longer than an identifier may be."""
    if len((name + suffix).encode()) <= NAME_LIMIT:
        return name + suffix
    mark = f"_{hashlib.sha256(name.encode()).hexdigest()[:8]}{suffix}"
    return name.encode()[: NAME_LIMIT - len(mark)].decode(errors="ignore") + mark


def renamed_columns(wanted: Table, actual: Table) -> dict[str, str]:
    """Old to new names of the columns whose declared rename is still to be done."""
    there = {column.name for column in actual.columns}
    declared = {column.name for column in wanted.columns}
    found: dict[str, str] = {}
    for column in wanted.columns:
        old = column.renamed_from
        if old is not None and column.name not in there and old in there and old not in declared:
            found.setdefault(old, column.name)
    return found


def superseded_columns(wanted: Table, actual: Table) -> dict[str, str]:
    """Columns on their way out, each with the wanted column that has taken its place: both exist."""
    there = {column.name for column in actual.columns}
    declared = {column.name for column in wanted.columns}
    found: dict[str, str] = {}
    for column in wanted.columns:
        if column.name not in there:
            continue
        for old in (column.renamed_from, former_name(column.name)):
            if old is not None and old in there and old not in declared:
                found[old] = column.name
    return found


@dataclass(frozen=True, slots=True)
class _Renaming:
    """The renames still to be done, over all tables."""

    tables: Mapping[TableName, TableName]
    columns: Mapping[TableName, Mapping[str, str]]
    spell: Spell

    def table(self, table: Table) -> Table:
        """``table`` with what stands on its columns spelled under their new names; the columns stay as they are."""
        names = self.columns.get(table.name, {})
        foreign_keys = tuple(self._key(key, names) for key in table.foreign_keys)
        if not names:
            return table if foreign_keys == table.foreign_keys else replace(table, foreign_keys=foreign_keys)
        primary = table.primary_key
        return replace(
            table,
            columns=tuple(_computed(column, names, self.spell) for column in table.columns),
            primary_key=None if primary is None else PrimaryKey(_each(primary.columns, names), primary.name),
            indexes=tuple(on_columns(index, names, self.spell) for index in table.indexes),
            uniques=tuple(_unique(unique, names) for unique in table.uniques),
            checks=tuple(_check(check, names, self.spell) for check in table.checks),
            foreign_keys=foreign_keys,
        )

    def _key(self, key: ForeignKey, names: Mapping[str, str]) -> ForeignKey:
        target = self.tables.get(key.target, key.target)
        there = self.columns.get(key.target, {})
        if target == key.target and not there and not any(name in names for name in key.columns):
            return key
        return replace(
            key,
            columns=_each(key.columns, names),
            target=target,
            target_columns=_each(key.target_columns, there),
        )


def leaving(doctypes: Sequence[DocTypeSchema], catalog: Catalog) -> frozenset[TableName]:
    """The tables that are to get another name while another table is wanted under the name that they have."""
    wanted = [table for doctype in doctypes for table in doctype.tables]
    return frozenset(old for old, _ in _table_renames(wanted, catalog)) & {table.name for table in wanted}


def through_renames(doctypes: Sequence[DocTypeSchema], catalog: Catalog, spell: Spell = spelt) -> Catalog:
    """The catalog as it would be if the declared renames were done, but for the names of the columns themselves.

    Nothing is copied where no rename is declared.

    Args:
        doctypes: the wanted schema, as far as it was loaded.
        catalog: what there is.
        spell: how the database's expressions name a column.
    """
    wanted = [table for doctype in doctypes for table in doctype.tables]
    tables = dict(_table_renames(wanted, catalog))
    columns: dict[TableName, Mapping[str, str]] = {}
    former = {new: old for old, new in tables.items()}
    for table in wanted:
        actual = catalog.tables.get(former.get(table.name, table.name))
        if actual is not None and (names := _declared(table, actual)):
            columns[actual.name] = names
    if not tables and not columns:
        return catalog
    renaming = _Renaming(tables, columns, spell)
    seen = {name: renaming.table(table) for name, table in catalog.tables.items()}
    return replace(catalog, tables=seen, leaving=leaving(doctypes, catalog))


def _declared(wanted: Table, actual: Table) -> dict[str, str]:
    if all(column.renamed_from is None for column in wanted.columns):
        return {}
    return renamed_columns(wanted, actual)


def _table_renames(wanted: Iterable[Table], catalog: Catalog) -> Iterable[tuple[TableName, TableName]]:
    for table in wanted:
        if table.renamed_from is not None and table.name not in catalog.names:
            old = TableName(table.renamed_from, table.name.schema)
            if old in catalog.names:
                yield old, table.name


def in_text(sql: str, names: Mapping[str, str], spell: Spell = spelt) -> str:
    """An expression with columns under other names; text in quotes stays, and so does what is not a plain name."""
    written = {spell(old): new for old, new in names.items()}

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        if word.startswith("'"):
            return word
        if word.startswith('"'):
            new = names.get(word[1:-1].replace('""', '"'))
            return word if new is None else '"' + new.replace('"', '""') + '"'
        new = names.get(word[1:-1].replace("``", "`") if word.startswith("`") else word, written.get(word))
        return word if new is None else spell(new)

    return _LITERAL_OR_NAME.sub(swap, sql)


def same_expression(one: str | None, other: str | None, columns: Iterable[str]) -> bool:
    """Whether two expressions are the same, but for quotes round the names of these columns.

    A dialect's canonical spelling quotes a name where it must; one that ``in_text`` put there keeps the quotes, or the
    lack of them, of the name before it.
    """
    if one is None or other is None or one == other:
        return one == other
    names = set(columns)

    def bare(match: re.Match[str]) -> str:
        word = match[0]
        name = word[1:-1].replace('""', '"')
        return name if word.startswith('"') and name in names and _PLAIN.fullmatch(name) else word

    return _LITERAL_OR_NAME.sub(bare, one) == _LITERAL_OR_NAME.sub(bare, other)


def occurs(column: str, text: str) -> bool:
    """Whether an expression may speak of a column: its name is in the text, as it is or as quotes make it."""
    return column in text or any(column.replace(mark, mark * 2) in text for mark in '"`')


def _each(columns: tuple[str, ...], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names.get(name, name) for name in columns)


def _computed(column: Column, names: Mapping[str, str], spell: Spell) -> Column:
    """A column that is computed of columns of other names."""
    generated = column.generated
    if generated is None or generated.expression is None:
        return column
    return replace(column, generated=replace(generated, expression=in_text(generated.expression, names, spell)))


def on_columns(index: Index, names: Mapping[str, str], spell: Spell = spelt) -> Index:
    """An index over columns of other names, made from values alone."""
    keys = tuple(
        key._replace(
            column=None if key.column is None else names.get(key.column, key.column),
            expression=None if key.expression is None else in_text(key.expression, names, spell),
        )
        for key in index.keys
    )
    where = None if index.where is None else in_text(index.where, names, spell)
    return replace(index, keys=keys, where=where, include=_each(index.include, names), native=None)


def _unique(unique: Unique, names: Mapping[str, str]) -> Unique:
    return replace(unique, columns=_each(unique.columns, names))


def _check(check: Check, names: Mapping[str, str], spell: Spell) -> Check:
    return replace(check, expression=in_text(check.expression, names, spell))


def stands_on(item: Index | PrimaryKey | Unique | Check | ForeignKey, columns: Iterable[str]) -> bool:
    """True when an index or constraint has one of the columns, by name or within an expression."""
    named: set[str | None] = set()
    text = ""
    match item:
        case Index():
            named = {key.column for key in item.keys} | set(item.include)
            text = " ".join((*(key.expression or "" for key in item.keys), item.where or ""))
        case Check():
            text = item.expression
        case PrimaryKey() | Unique() | ForeignKey():
            named = set(item.columns)
    found = (word for word in _LITERAL_OR_NAME.findall(text) if not word.startswith("'"))
    words = {word.strip('"`').replace('""', '"').replace("``", "`") for word in found}
    return any(name in named or name in words for name in columns)
