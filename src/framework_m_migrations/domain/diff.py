"""What differs between a wanted and an actual table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.naming import Place
from framework_m_migrations.domain.ownership import OwnedTable, Ownership, constraint_identities
from framework_m_migrations.domain.renames import same_expression, stands_on, superseded_columns
from framework_m_migrations.domain.risk.conflicts import refuse_column, refuse_table
from framework_m_migrations.domain.schema import (
    Catalog,
    Check,
    Column,
    DocTypeSchema,
    EnumType,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)

type Item = Index | Unique | Check | ForeignKey
type Named = PrimaryKey | Unique | Check | ForeignKey

_WHEN_CHECKED = frozenset({"deferrable", "initially"})
"""What a constraint says for itself: an index that it adopts need not say so."""
_STORED_AS = ("tablespace", "with.")
"""What an index says of its storage, which decides about no row."""


def constraint_changes(
    wanted: Table, actual: Table, owned: OwnedTable | None, capabilities: Capabilities, drift: list[Item] | None = None
) -> Iterator[c.Change]:
    """Differences of indexes, unique constraints, checks and foreign keys, in this order.

    What is surplus and not ours is added to ``drift``.
    """
    drift = [] if drift is None else drift
    if wanted.indexes != actual.indexes or wanted.uniques != actual.uniques:
        yield from _indexes_and_uniques(wanted, actual, owned, capabilities, drift)
    if wanted.checks != actual.checks:
        yield from _checks(wanted, actual, owned, drift)
    if wanted.foreign_keys != actual.foreign_keys:
        yield from _foreign_keys(wanted, actual, owned, drift)


def other_names(wanted: Table, actual: Table) -> Iterator[tuple[Named, Named]]:
    """The constraints that are as they are wanted but for their names, as a comparison lets them be."""
    pairs: list[tuple[Named | None, Named]] = []
    if wanted.primary_key is not None and wanted.primary_key == actual.primary_key:
        pairs.append((actual.primary_key, wanted.primary_key))
    # What has its name already is no other's former one, were they the same in all else.
    uniques = _apart(actual.uniques, (*wanted.uniques, *wanted.indexes))
    checks, keys = _apart(actual.checks, wanted.checks), _apart(actual.foreign_keys, wanted.foreign_keys)
    pairs += [(_take(uniques, _rule, _rule(one)), one) for one in _apart(wanted.uniques, actual.uniques)]
    pairs += [(_take_check(checks, one, wanted), one) for one in _apart(wanted.checks, actual.checks)]
    pairs += [(_take(keys, _shape, _shape(one)), one) for one in _apart(wanted.foreign_keys, actual.foreign_keys)]
    for before, item in pairs:
        if before is not None and None not in {before.name, item.name} and before.name != item.name:
            yield before, item


def _apart[T: Unique | Check | ForeignKey](items: Sequence[T], others: Iterable[Named | Index]) -> list[T]:
    """Those without the name of one of the others."""
    names = {one.name for one in others} - {None}
    return [one for one in items if one.name not in names]


def anew(table: TableName, pairs: Iterable[tuple[Named, Named]]) -> Iterator[c.Change]:
    """The changes that give constraints other names where none can be renamed; a primary key keeps its own."""
    for before, item in pairs:
        match before, item:
            case Unique(), Unique():
                yield c.UniqueChanged(table, before, replace(item, native=None))
            case Check(), Check():
                yield c.CheckChanged(table, before, replace(item, native=None))
            case ForeignKey(), ForeignKey():
                # Gone before the index under it is another, and back once that one is there.
                yield c.ForeignKeyRemoved(table, before)
                yield c.ForeignKeyAdded(table, replace(item, native=None))
            case _:
                pass


def _is_ours(item: Unique | Check | ForeignKey, owned: OwnedTable | None) -> bool:
    return owned is not None and any(identity in owned.constraints for identity in constraint_identities(item))


def _indexes_and_uniques(
    wanted: Table, actual: Table, owned: OwnedTable | None, capabilities: Capabilities, drift: list[Item]
) -> Iterator[c.Change]:
    indexes = {index.name: index for index in actual.indexes}
    uniques = list(actual.uniques)
    named = {index.name for index in wanted.indexes}
    # What has the wanted name is spoken for before anything is matched by what it is.
    unmatched: list[Index] = []
    for index in wanted.indexes:
        before = indexes.pop(index.name, None)
        if before is not None:
            yield from _index(wanted, before, index)
        elif capabilities.unique_is_index and (holder := _take(uniques, _name, index.name)) is not None:
            # The name is taken: the constraint is the index, and may have changed.
            if _enforces(index) != sorted(holder.columns):
                keys = tuple(IndexKey(column) for column in holder.columns)
                yield c.IndexChanged(wanted.name, Index(index.name, keys, unique=True), index)
        else:
            unmatched.append(index)
    changed, missing = _matched(wanted, uniques, capabilities)
    for index in unmatched:
        if not _unique_stands_in(index, uniques):
            yield c.IndexAdded(wanted.name, index)
    yield from changed
    for unique in missing:
        yield from _unique(wanted.name, unique, indexes, named, capabilities)
    for index in indexes.values():
        if owned is not None and owned.has_index(index):
            yield c.IndexRemoved(wanted.name, index)
        elif not (capabilities.keys_to_any_index and _is_of_key(index, wanted)):
            drift.append(index)
    for unique in uniques:
        # Where a constraint is an index, an index of ours is told as a constraint.
        indexed = capabilities.unique_is_index and owned is not None and unique.name in owned.indexes
        if indexed or _is_ours(unique, owned):
            yield c.UniqueRemoved(wanted.name, unique)
        else:
            drift.append(unique)


def _is_of_key(index: Index, wanted: Table) -> bool:
    """The index that InnoDB itself makes for a foreign key, under the name of the key or of its first column."""
    return any(
        index.plain_columns == key.columns and index.name in {key.name, key.columns[0]} for key in wanted.foreign_keys
    )


def _index(wanted: Table, before: Index, index: Index) -> Iterator[c.Change]:
    if before == index:
        return
    if not _same_index(before, index, wanted):
        yield c.IndexChanged(wanted.name, before, index)
    elif not before.valid:
        yield c.IndexInvalid(wanted.name, index)


def _same_index(before: Index, index: Index, wanted: Table) -> bool:
    """Whether two definitions are the same, but for quotes round the names of columns in expressions."""
    if len(before.keys) != len(index.keys):
        return False
    names = [column.name for column in wanted.columns]
    texts = [(mine.expression, theirs.expression) for mine, theirs in zip(index.keys, before.keys, strict=True)]
    texts.append((index.where, before.where))
    if not all(same_expression(mine, theirs, names) for mine, theirs in texts):
        return False
    keys = tuple(
        mine._replace(expression=theirs.expression) for mine, theirs in zip(index.keys, before.keys, strict=True)
    )
    # Where an index lies is the session's default, or a person's choice, unless the models name a tablespace.
    named = any(name == "tablespace" for name, _ in index.options)
    options = tuple(one for one in before.options if named or one[0] != "tablespace")
    return replace(before, options=options) == replace(index, keys=keys, where=before.where, valid=before.valid)


def _matched(wanted: Table, uniques: list[Unique], capabilities: Capabilities) -> tuple[list[c.Change], list[Unique]]:
    """What differs in the unique constraints of a wanted name, and those that there are none for.

    Args:
        wanted: the table.
        uniques: what there is; what does a wanted one's work is taken out.
        capabilities: by which rule a constraint without a name is named.
    """
    changed: list[c.Change] = []
    unmatched: list[Unique] = []
    for unique in wanted.uniques:
        same_name = None if unique.name is None else _take(uniques, _name, unique.name)
        if same_name is None:
            unmatched.append(unique)
        elif _rule(same_name) != _rule(unique):
            changed.append(c.UniqueChanged(wanted.name, same_name, unique))
    missing: list[Unique] = []
    for unique in [unique for unique in unmatched if _take(uniques, _rule, _rule(unique)) is None]:
        other = _take(uniques, _rows_kept_apart, _rows_kept_apart(unique))
        if other is None and unique.name is None:
            # It would get the name that the other one has.
            own = (sorted(unique.columns), capabilities.naming.choose(unique, Place(wanted.name, ())))
            other = _take(uniques, lambda one: (sorted(one.columns), one.name), own)
        if other is None:
            missing.append(unique)
        else:
            # A second one beside it would refuse rows that the first one ignores or replaces.
            changed.append(c.UniqueChanged(wanted.name, other, unique))
    return changed, missing


def _rows_kept_apart(unique: Unique) -> tuple[object, ...]:
    """What a constraint keeps apart, whatever it does about a row that breaks it."""
    return sorted(unique.columns), {option for option in unique.options if option[0] != "on_conflict"}


def _unique(
    table: TableName, unique: Unique, indexes: dict[str, Index], named: set[str], capabilities: Capabilities
) -> Iterator[c.Change]:
    index = _adoptable(table, unique, [index for index in indexes.values() if index.name not in named], capabilities)
    if index is None:
        yield c.UniqueAdded(table, unique)
        return
    del indexes[index.name]
    if capabilities.unique_is_index:
        return
    if not index.valid:
        yield c.IndexInvalid(table, index)
    yield c.UniqueAdded(table, unique, index.name if capabilities.unique_via_index else None)


def _adoptable(table: TableName, unique: Unique, indexes: list[Index], capabilities: Capabilities) -> Index | None:
    """The index that a constraint can be made of.

    One of the constraint's own name comes first: while it stands, no other index can take that name. It may be what a
    killed build left, which is built again; another's that is invalid may be under way, and is nobody's to touch.
    """
    own = unique.name or capabilities.naming.choose(unique, Place(table, ()))
    rule = {option for option in unique.options if option[0] not in _WHEN_CHECKED}
    fitting = [
        index
        for index in indexes
        if _enforces(index) == sorted(unique.columns) and _is_bare(index) and _decisive(index) == rule
    ]
    fitting.sort(key=lambda index: index.name != own)
    return next((index for index in fitting if index.valid or index.name == own), None)


def _unique_stands_in(index: Index, uniques: list[Unique]) -> bool:
    """A unique constraint that nobody wants as such may do the work of a wanted unique index."""
    columns = _enforces(index)
    if columns is None or not _is_bare(index):
        return False
    return _take(uniques, _rows_kept_apart, (columns, _decisive(index))) is not None


def _enforces(index: Index) -> list[str] | None:
    """The columns that a plain unique index keeps unique, sorted; None for any other index."""
    plain = index.plain_columns if index.unique and not index.include else None
    return None if plain is None else sorted(plain)


def _is_bare(index: Index) -> bool:
    """Whether its keys are nothing but columns: another operator class, order or prefix is no unique constraint's."""
    return not any(key.modifiers for key in index.keys)


def _decisive(index: Index) -> set[tuple[str, str]]:
    """The options of an index that decide which rows agree."""
    return {option for option in index.options if not option[0].startswith(_STORED_AS)}


def _rule(unique: Unique) -> tuple[object, ...]:
    return sorted(unique.columns), unique.options


def _name(item: Unique | Check | ForeignKey) -> str | None:
    return item.name


def _take_check(checks: list[Check], check: Check, wanted: Table) -> Check | None:
    """Remove and return the first that says the same."""
    names = [column.name for column in wanted.columns]
    return _take(checks, lambda one: same_expression(one.expression, check.expression, names), True)


def _checks(wanted: Table, actual: Table, owned: OwnedTable | None, drift: list[Item]) -> Iterator[c.Change]:
    rest = list(actual.checks)
    unmatched: list[Check] = []
    for check in wanted.checks:
        before = None if check.name is None else _take(rest, _name, check.name)
        if before is None:
            unmatched.append(check)
        elif before.options != check.options or not same_expression(
            before.expression, check.expression, (column.name for column in wanted.columns)
        ):
            yield c.CheckChanged(wanted.name, before, check)
        elif check.valid and not before.valid:
            yield c.ConstraintNotValidated(wanted.name, before)
    for check in unmatched:
        before = _take_check(rest, check, wanted)
        if before is None:
            yield c.CheckAdded(wanted.name, check)
        elif check.valid and not before.valid:
            yield c.ConstraintNotValidated(wanted.name, before)
    for check in rest:
        if _is_ours(check, owned):
            yield c.CheckRemoved(wanted.name, check)
        else:
            drift.append(check)


def _foreign_keys(wanted: Table, actual: Table, owned: OwnedTable | None, drift: list[Item]) -> Iterator[c.Change]:
    rest = list(actual.foreign_keys)
    unmatched: list[ForeignKey] = []
    for key in wanted.foreign_keys:
        before = _take(rest, _shape, _shape(key))
        if before is None:
            unmatched.append(key)
        elif key.valid and not before.valid:
            yield c.ConstraintNotValidated(wanted.name, before)
    for key in unmatched:
        before = _take(rest, _key_columns, key.columns)
        if before is None and key.name is not None:
            before = _take(rest, _name, key.name)
        if before is None:
            yield c.ForeignKeyAdded(wanted.name, key)
        else:
            yield c.ForeignKeyChanged(wanted.name, before, key)
    for key in rest:
        if _is_ours(key, owned):
            yield c.ForeignKeyRemoved(wanted.name, key)
        else:
            drift.append(key)


def _shape(key: ForeignKey) -> tuple[object, ...]:
    """A foreign key without its name and state; pairs of columns in any order mean the same."""
    pairs = tuple(sorted(zip(key.columns, key.target_columns, strict=True)))
    return pairs, key.target, key.on_delete, key.on_update, key.options


def _key_columns(key: ForeignKey) -> tuple[str, ...]:
    return key.columns


def _take[T](items: list[T], trait: Callable[[T], object], wanted: object) -> T | None:
    """Remove and return the first item with the wanted trait."""
    for position, item in enumerate(items):
        if trait(item) == wanted:
            return items.pop(position)
    return None


# What differs between a wanted and an actual table.
#
# Pure and dialect-free: both sides are in canonical spelling, and what a dialect does in its own way is a
# capability. Nothing is left out because it cannot be applied: the diff states, risk/rules.py judges.


def diff_doctype(
    doctype: DocTypeSchema,
    catalog: Catalog,
    ownership: Ownership,
    capabilities: Capabilities,
    drift: dict[TableName, list[Item]] | None = None,
) -> list[c.Change]:
    """All differences of one DocType.

    Args:
        doctype: what is wanted.
        catalog: what there is, with at least this DocType's tables read.
        ownership: what the ledger says is ours; decides whether surplus indexes and constraints are our business.
        capabilities: of the database.
        drift: gets what somebody added to the tables by hand: what is surplus and not ours.

    Raises:
        NameInOtherCase: a table or column is there in another case of letters, which the database takes for the same.
    """
    found: list[c.Change] = []
    if capabilities.named_enums:
        for enum in doctype.enums:
            user = doctype.tables[0].name if doctype.tables else enum.name
            found.extend(_enum_changes(user, enum, catalog.enums.get(enum.name)))
    for table in doctype.tables:
        before = TableName(table.renamed_from, table.name.schema) if table.renamed_from else None
        if table.name in catalog.leaving:
            # What else it changes is compared, and what is new is created, once the name is free.
            if before is not None and before in catalog.names:
                found.append(c.TableRenamed(table.name, before, table))
            continue
        actual = catalog.tables.get(table.name)
        if actual is not None:
            surplus: list[Item] = []
            found.extend(diff_table(table, actual, ownership.get(table.name), capabilities, surplus))
            if drift is not None:
                drift[table.name] = surplus
            continue
        if capabilities.folds_tables and table.name not in catalog.names:
            refuse_table(table.name, catalog.names)
        if before is not None and before in catalog.names:
            former = catalog.tables.get(before)
            if former is None:
                found.append(c.TableRenamed(table.name, before, table))
            else:
                found.extend(_renamed(table, former, ownership.get(before), capabilities))
        else:
            found.append(c.TableAdded(table.name, table))
    return found


def _renamed(wanted: Table, actual: Table, owned: OwnedTable | None, capabilities: Capabilities) -> Iterator[c.Change]:
    """A rename, and what else the table changes, under its former name: it is changed first, and renamed afterwards.

    What came along for DDL names the table as it will be called, so that only columns keep it. A foreign key may refer
    to another table of a new name, and waits for all names where the database looks for its target.
    """
    as_was = replace(
        wanted,
        name=actual.name,
        native=None,
        indexes=tuple(replace(index, native=None) for index in wanted.indexes),
        uniques=tuple(replace(unique, native=None) for unique in wanted.uniques),
        checks=tuple(replace(check, native=None) for check in wanted.checks),
    )
    found = diff_table(as_was, actual, owned, capabilities)
    columns = [change.column.name for change in found if isinstance(change, c.ColumnRenamed)]
    called = [pair for pair in other_names(wanted, actual) if not stands_on(pair[1], columns)]
    names = _names(called) if capabilities.rename_constraints else ()
    found += () if capabilities.rename_constraints else anew(actual.name, called)
    yield c.TableRenamed(wanted.name, actual.name, wanted, names)
    for change in found:
        waits = isinstance(change, c.ForeignKeyAdded | c.ForeignKeyChanged) and not capabilities.forward_references
        yield replace(change, table=wanted.name) if waits else change


def _names(called: Iterable[tuple[Named, Named]]) -> tuple[tuple[str, str], ...]:
    return tuple((before.name or "", item.name or "") for before, item in called)


def diff_table(
    wanted: Table,
    actual: Table,
    owned: OwnedTable | None,
    capabilities: Capabilities,
    drift: list[Item] | None = None,
) -> list[c.Change]:
    """All differences of a table that exists; empty when there is nothing to do. ``drift`` as of ``diff_doctype``."""
    if wanted == actual:
        return []
    found: list[c.Change] = []
    if wanted.columns != actual.columns:
        found.extend(_columns(wanted, actual, owned, capabilities))
    renamed = [change for change in found if isinstance(change, c.ColumnRenamed)]
    if renamed:
        columns = [change.column.name for change in renamed]
        columns += [name.lower() for name in columns if capabilities.folds_columns]
        called = [pair for pair in other_names(wanted, actual) if stands_on(pair[1], columns)]
        if capabilities.rename_constraints:
            found[found.index(renamed[-1])] = replace(renamed[-1], constraints=_names(called))
        else:
            found.extend(anew(wanted.name, called))
    if wanted.primary_key != actual.primary_key:
        found.append(c.PrimaryKeyChanged(wanted.name, actual.primary_key, wanted.primary_key))
    surplus: list[Item] = []
    changes = constraint_changes(wanted, actual, owned, capabilities, surplus)
    found.extend(_without_superseded(changes, wanted, actual))
    if drift is not None and surplus:
        superseded = superseded_columns(wanted, actual)
        drift.extend(item for item in surplus if not (superseded and stands_on(item, superseded)))
    found.extend(_options(wanted, actual, capabilities))
    if capabilities.comments:
        if wanted.comment != actual.comment:
            found.append(c.CommentChanged(wanted.name, None, actual.comment, wanted.comment))
        found.extend(_constraint_comments(wanted, actual))
    return found


def _constraint_comments(wanted: Table, actual: Table) -> Iterator[c.Change]:
    """Comments of constraints that both sides have; a new constraint brings its own along."""

    def commented(table: Table) -> dict[str, str | None]:
        key = () if table.primary_key is None else (table.primary_key,)
        items = (*key, *table.uniques, *table.checks, *table.foreign_keys)
        return {item.name: item.comment for item in items if item.name is not None}

    before = commented(actual)
    for name, comment in commented(wanted).items():
        if name in before and before[name] != comment:
            yield c.CommentChanged(wanted.name, None, before[name], comment, name)


def _options(wanted: Table, actual: Table, capabilities: Capabilities) -> Iterator[c.TableOptionsChanged]:
    """The options that differ. Where a server has more than models name, the rest is left as somebody set it."""
    had, wants = dict(actual.options), dict(wanted.options)
    for column in wanted.columns:
        before = actual.column(column.name) or actual.column(column.renamed_from or "")
        if before is not None and before.options != column.options:
            had |= {f"{column.name}.{name}": value for name, value in before.options}
            wants |= {f"{column.name}.{name}": value for name, value in column.options}
    names = wants.keys() if capabilities.options_as_named else wants.keys() | had.keys()
    differing = [name for name in sorted(names) if had.get(name) != wants.get(name)]
    if differing:
        old, new = (tuple((name, one[name]) for name in differing if name in one) for one in (had, wants))
        yield c.TableOptionsChanged(wanted.name, old, new)


def _columns(wanted: Table, actual: Table, owned: OwnedTable | None, capabilities: Capabilities) -> Iterator[c.Change]:
    existing = {column.name: column for column in actual.columns}
    surplus = dict(existing)
    for column in wanted.columns:
        before = surplus.pop(column.name, None)
        if before is None:
            old = column.renamed_from
            if old is not None and old in surplus and wanted.column(old) is None:
                renamed = surplus.pop(old)
                yield c.ColumnRenamed(wanted.name, renamed, column)
            else:
                if capabilities.folds_columns:
                    refuse_column(wanted.name, column.name, existing)
                yield c.ColumnAdded(wanted.name, column)
        elif before != column:
            yield from _column(wanted, before, column, capabilities)
    superseded = superseded_columns(wanted, actual) if surplus else {}
    for column in surplus.values():
        if column.inherited:
            continue
        ours = owned is not None and column.name in owned.columns
        yield c.ColumnRemoved(wanted.name, column, ours, superseded.get(column.name))


def _without_superseded(found: Iterator[c.Change], wanted: Table, actual: Table) -> Iterator[c.Change]:
    """What stands on a column that is on its way out goes with that column, and is no surplus of its own."""
    superseded: dict[str, str] | None = None
    for change in found:
        gone: Index | Unique | Check | ForeignKey
        match change:
            case c.IndexRemoved(index=gone) | c.UniqueRemoved(unique=gone):
                pass
            case c.CheckRemoved(check=gone) | c.ForeignKeyRemoved(foreign_key=gone):
                pass
            case _:
                yield change
                continue
        if superseded is None:
            superseded = superseded_columns(wanted, actual)
        if not stands_on(gone, superseded):
            yield change


def _column(wanted: Table, before: Column, after: Column, capabilities: Capabilities) -> Iterator[c.Change]:
    table = wanted.name
    if before.type != after.type:
        yield c.ColumnTypeChanged(table, before, after)
    if before.nullable != after.nullable:
        yield c.ColumnNullabilityChanged(table, before, after)
    if not _same_generation(before.generated, after.generated, wanted):
        yield c.ColumnGenerationChanged(table, before, after)
    elif before.default != after.default and not after.foreign_default and not _is_kept_fill(before, after):
        yield c.ColumnDefaultChanged(table, before, _with_fill_kept(after))
    if capabilities.comments and before.comment != after.comment:
        yield c.CommentChanged(table, after.name, before.comment, after.comment)


def _same_generation(before: Generated | None, after: Generated | None, wanted: Table) -> bool:
    if before is None or after is None or before == after:
        return before == after
    names = (column.name for column in wanted.columns)
    return replace(before, expression=after.expression) == after and same_expression(
        before.expression, after.expression, names
    )


def _is_kept_fill(before: Column, after: Column) -> bool:
    """An application's default that an earlier sync left in the database so that old code can still insert."""
    return after.default is None and after.fill is not None and before.default == after.fill


def _with_fill_kept(after: Column) -> Column:
    """A default in the application that changed: what an earlier sync left for old code follows, never vanishes."""
    if after.default is not None or after.fill is None or after.nullable:
        return after
    return replace(after, default=after.fill)


def _enum_changes(table: TableName, wanted: EnumType, actual: EnumType | None) -> Iterator[c.Change]:
    if actual is None:
        yield c.EnumAdded(table, wanted)
        return
    if wanted.values == actual.values:
        return
    kept = tuple(value for value in wanted.values if value in set(actual.values))
    if kept != actual.values:
        yield c.EnumValuesIncompatible(table, actual, wanted)
        return
    present = set(actual.values)
    previous: str | None = None
    for value in wanted.values:
        if value not in present:
            first = actual.values[0] if previous is None and actual.values else None
            yield c.EnumValueAdded(table, wanted.name, value, previous, first, actual.values)
        previous = value
