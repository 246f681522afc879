"""A history as it is lived through: a release, rows, a sync in each world, and everything that must hold afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.renames import stands_on
from framework_m_migrations.domain.results import PlanResult
from framework_m_migrations.domain.risk.rules import CREATE
from framework_m_migrations.domain.schema import Check, Index, Unique
from tests.histories.choices import Mutation
from tests.histories.explaining import explained, identity, renames_of
from tests.histories.kinds import essence, value_text
from tests.histories.model import Schema
from tests.histories.mutations import mutate
from tests.histories.traits import Key, Traits, differences
from tests.histories.worlds import BY_HAND, Memory, Rows, World
from tests.support import sync_path
from tests.support.profile import NIGHTLY

UNKNOWN = {"constraint-unknown", "unique-unknown"}
NO_OBJECTS_IN_SQLITE = (c.CommentChanged, c.EnumAdded, c.EnumValueAdded, c.EnumValuesIncompatible)

TWO_SPELLINGS = ("moment", "uuid")
"""Kinds that SQLAlchemy writes for SQLite in another way than ``str`` does."""


@dataclass(slots=True)
class History:
    """A schema, and the worlds that follow it. The memory world comes first: rows are made to fit what it has."""

    memory: Memory
    others: Sequence[World]
    schema: Schema = field(default_factory=Schema)
    inserted: int = 0
    synced: int = 0
    dropped: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    """What the last release dropped in each world."""
    seen: dict[str, Traits] = field(default_factory=dict)
    """What each world looked like after its last sync."""
    parted: set[tuple[str, ...]] = field(default_factory=set)
    """By table and columns, what some databases dropped and others leave to a revision; histories have none."""
    ended: bool = False
    """The databases have other tables now: a foreign key that SQLite cannot drop alone kept one there."""
    differing: set[tuple[str, str]] = field(default_factory=set)
    """Columns whose change of type the adapters judge differently, each by the rules of its own database."""

    @property
    def worlds(self) -> tuple[World, ...]:
        return (self.memory, *self.others)

    def release(self, mutations: Sequence[Mutation], rows: Sequence[int] = (), *, drop: bool = False) -> None:
        """One release: the schema changes, every world is synced and judged, and users put in rows.

        Args:
            mutations: of the schema.
            rows: numbers of rows that users put in afterwards.
            drop: sync with ``--allow-drop``, after a visitor has made objects of his own by hand.
        """
        if self.ended:
            return
        for mutation in mutations:
            self.schema = mutate(self.schema, mutation)
        # Where it is kept, and whether rows are rewritten for it, is each database's own; memory computes nothing.
        self.differing |= {(table.name, name) for table in self.schema.tables for name in table.computed()}
        fields = [(table.name, one) for table in self.schema.tables for one in table.fields]
        self.differing |= {(name, one.name) for name, one in fields if (name, one.was) in self.differing}
        # Without any table declared, --allow-drop is refused as a whole.
        drop = drop and bool(self.schema.tables)
        plans = {world.name: self._sync(world, drop) for world in self.worlds}
        apart = False
        for world in self.others:
            self._agree(plans[self.memory.name], world, plans[world.name])
            apart |= self._part(plans, world)
        self.ended = apart
        if apart:
            return
        self._rows_agree()
        for number in rows:
            self._insert(number)

    def _part(self, plans: Mapping[str, Sequence[PlannedChange]], world: World) -> bool:
        """Note what only one of memory and a world dropped, where the other one said that it is for ``create``.

        Returns:
            True when that is a table, which a foreign key without a name keeps.
        """
        apart = False
        mine, theirs = self.dropped[self.memory.name], self.dropped[world.name]
        for one in mine ^ theirs:
            keeper = world.name if one in mine else self.memory.name
            kept = next((p.judgement for p in plans[keeper] if identity(p.change) == one), None)
            if kept is None:
                continue
            apart |= one[0] == "TableRemoved" and "The foreign key (" in kept.reason
            if kept.handled_by == CREATE:
                self.parted.add(one[1:])
                if one[0] == "ColumnRemoved":
                    self.differing.add((one[1], one[2]))
        return apart

    def _sync(self, world: World, drop: bool) -> Sequence[PlannedChange]:
        if drop:
            world.by_hand(self.schema)
        before = world.rows()
        sync_path.caught.clear()
        first = result = world.sync(self.schema, allow_drop=drop)
        self.dropped[world.name] = {identity(one.change) for one in first.removed}
        if any(one.judgement.rule in UNKNOWN for one in result.withheld):
            # What nobody could tell of rows before a column or a table was there can be told once it is.
            result = world.sync(self.schema, allow_drop=drop)
        assert sync_path.caught == []
        after = world.rows()
        if drop:
            before = _but_for_drops(self.schema, before, after)
        _rows_are_kept(world.name, before, after)
        withheld = _ours(result.withheld)
        self.synced += 1
        # One plan at a time in `make test`: by the ledger's word, and in full, by turns.
        for force in (False, True) if NIGHTLY else (self.synced // len(self.worlds) % 2 == 0,):
            left = world.plan(self.schema, force=force)
            assert not left.plan.applied, (world.name, force, _shown(left))
            assert not left.plan.steps
            if force or withheld:
                assert _identities(left.plan.withheld) == _identities(withheld), (world.name, force, _shown(left))
        actual = world.traits()
        _old_code_still_inserts(world.name, after, self.seen.get(world.name, {}), actual)
        self.seen[world.name] = actual
        self._built_as_wanted(world, actual, withheld)
        return _ours(first.plan.plan.changes)

    def _built_as_wanted(self, world: World, actual: Traits, withheld: Sequence[PlannedChange]) -> None:
        """The catalogue is that of a database built from scratch but for what is withheld; nothing else is."""
        differing = _but_for_names_of_checks(differences(actual, world.ideal(self.schema)))
        renames = renames_of(one.change for one in withheld)
        unexplained = {
            key: pair
            for key, pair in differing.items()
            if not any(explained(one.change, key, pair, renames) for one in withheld) and not self._is_kept(key, pair)
        }
        assert not unexplained, (world.name, unexplained)
        # A table of another name differs as a whole; what else it changes goes by its former name.
        renamed = {one.change.before for one in withheld if isinstance(one.change, c.TableRenamed)}
        phantoms = [
            one.change
            for one in withheld
            if one.change.table not in renamed
            and not any(explained(one.change, key, pair, renames) for key, pair in differing.items())
        ]
        assert not phantoms, (world.name, phantoms)

    def _is_kept(self, key: Key, pair: tuple[object, object]) -> bool:
        """A default that sync left for old code, an enumeration that nothing uses any more."""
        if key[0] == "enum":
            return pair[1] is None
        table = self.schema.table(key[1])
        if key[0] != "default" or table is None:
            return False
        wanted = next((one for one in table.fields if one.name == key[2]), None)
        return wanted is not None and wanted.in_code and pair[1] is None

    def _agree(self, reference: Sequence[PlannedChange], world: World, planned: Sequence[PlannedChange]) -> None:
        """An adapter planned the same as memory, as far as its database has the objects, and withheld the same."""
        apart = NO_OBJECTS_IN_SQLITE if world.name == "sqlite" else ()
        ours, theirs = (
            {identity(one.change): one.withheld for one in changes if not isinstance(one.change, apart)}
            for changes in (reference, planned)
        )
        both = ours.keys() | theirs.keys()
        self.differing |= {
            (name[1], name[2]) for name in both if name[0] == "ColumnTypeChanged" and ours.get(name) != theirs.get(name)
        }
        touched = {name for name in both if any((name[1], one) in self.differing for one in name[2:])}
        touched |= {name for name in both if name[0].startswith(("ForeignKey", "Unique")) and name[1:] in self.parted}
        if world.name == "sqlite":
            touched |= _defined_anew((*reference, *planned)) | self._written_otherwise()
        else:
            touched |= self._types_in_expressions()
        for one in (*reference, *planned):
            stand: tuple[Index | Check | Unique, ...]
            match one.change:
                case c.IndexChanged(before=was, index=item):
                    stand = (was, item)
                case c.IndexAdded(index=item) | c.IndexRemoved(index=item):
                    stand = (item,)
                case c.CheckChanged(before=rule, check=check):
                    stand = (rule, check)
                case c.CheckAdded(check=check) | c.CheckRemoved(check=check):
                    stand = (check,)
                case c.UniqueAdded(unique=unique):
                    stand = (unique,)
                case _:
                    continue
            # It waits for the type where that waits, and for a column that goes where that stays. What has the name of
            # something that stood on such a column may be new in one of the databases and another form in the other.
            apart_there = [name for table, name in self.differing if table == one.change.table.name]
            if any(item.name in apart_there or stands_on(item, apart_there) for item in stand):
                touched.add(identity(one.change))
        wrong = {
            name: (ours.get(name), theirs.get(name)) for name in both - touched if ours.get(name) != theirs.get(name)
        }
        assert not wrong, (world.name, "(withheld in memory, here)", wrong)

    def _written_otherwise(self) -> set[tuple[str, ...]]:
        """Defaults that moved from the server into the application, where SQLite compares the texts of the two."""
        fields = [(table.name, one) for table in self.schema.tables for one in table.fields]
        return {
            ("ColumnDefaultChanged", name, one.name)
            for name, one in fields
            if one.in_code and one.kind in TWO_SPELLINGS
        }

    def _types_in_expressions(self) -> set[tuple[str, ...]]:
        """Indexes that PostgreSQL writes with a column's type in them, which may be pending behind its rename."""
        keys = [(table, key) for table in self.schema.tables for key in table.keys if key.lower]
        renamed = {(table.name, one.name) for table in self.schema.tables for one in table.fields if one.was}
        return {("IndexChanged", one.name, str(key.name)) for one, key in keys if (one.name, key.fields[0]) in renamed}

    def _insert(self, number: int) -> None:
        """Put a row into each world, or into none where one of them refuses it."""
        tables = list(self.memory.database.state.tables.values())
        if not tables:
            return
        table = tables[number % len(tables)]
        self.inserted += 1
        references = {key.columns[0]: key.target for key in table.foreign_keys}
        row: dict[str, object] = {"id": self.inserted}
        for place, column in enumerate(table.columns[1:]):
            if column.generated is not None:
                continue
            value = number // 4 + place
            if column.nullable and value % 4 == 3:
                row[column.name] = None
            elif column.name in references:
                partners = [one["id"] for one in self.memory.database.rows(references[column.name])]
                row[column.name] = partners[value % len(partners)] if partners else None
            elif column.type.enum is not None:
                labels = self.memory.database.state.enums[column.type.enum].values
                row[column.name] = labels[value % len(labels)].replace("'", "''")
            elif not (value % 5 == 4 and column.default is not None):
                row[column.name] = value_text(column.type.base, value % 10)
        done: list[World] = []
        for world in self.worlds:
            if not world.insert(table.name.name, row):
                for other in done:
                    other.remove(table.name.name, self.inserted)
                return
            done.append(world)

    def _rows_agree(self) -> None:
        """Rows mean the same in each world, what they got by default in new columns included."""
        reference = self.memory.rows()
        for world in self.others:
            found = world.rows()
            assert found.keys() == reference.keys(), world.name
            for table, rows in reference.items():
                assert found[table].keys() == rows.keys(), (world.name, table)
                for number, row in rows.items():
                    here = found[table][number]
                    for column, value in row.items():
                        if (table, column) not in self.differing:
                            assert essence(here[column]) == essence(value), (world.name, table, column, number)


def _identities(changes: Sequence[PlannedChange]) -> set[tuple[str, ...]]:
    return {identity(one.change) for one in _ours(changes)}


def _ours(changes: Sequence[PlannedChange]) -> list[PlannedChange]:
    """Without what is told of columns made by hand: that depends on whether the database tells that it was changed.

    What a renamed table changes beside its name goes by the new one.
    """
    renamed = {one.change.before: one.change.table for one in changes if isinstance(one.change, c.TableRenamed)}
    return [
        replace(one, change=replace(one.change, table=renamed[one.change.table]))
        if one.change.table in renamed and not isinstance(one.change, c.TableRemoved)
        else one
        for one in changes
        if not (isinstance(one.change, c.ColumnRemoved) and one.change.column.name == BY_HAND and one.withheld)
    ]


def _shown(result: PlanResult) -> list[tuple[object, ...]]:
    return [(identity(one.change), one.withheld, one.judgement.rule, one.change) for one in result.plan.changes]


def _but_for_names_of_checks(
    differing: Mapping[Key, tuple[object, object]],
) -> dict[Key, tuple[object, object]]:
    """Without the checks that stand under another name: one of the same expression is as good as the wanted one."""
    left = dict(differing)
    for key, (there, wanted) in differing.items():
        if key[0] == "check" and there is None:
            other = next((one for one in left if one[:2] == key[:2] and left[one] == (wanted, None)), None)
            if other is not None:
                del left[key], left[other]
    return left


def _but_for_drops(schema: Schema, before: Rows, after: Rows) -> Rows:
    """The rows of before, without the tables and columns that may go: the engine made them, and nobody wants them."""
    left: Rows = {}
    for name, rows in before.items():
        table = schema.table(name)
        if table is None:
            if name in after or name == BY_HAND or any(one.was == name for one in schema.tables):
                left[name] = rows
            continue
        wanted = {"id", BY_HAND, *(one.name for one in table.fields), *(one.was for one in table.fields)}
        seen = {column for row in after[name].values() for column in row}
        left[name] = {
            number: {column: value for column, value in row.items() if column in wanted | seen}
            for number, row in rows.items()
        }
    return left


def _old_code_still_inserts(where: str, rows: Rows, before: Traits, after: Traits) -> None:
    """In a table with rows nothing must be given that could be left out before, or that did not exist."""
    known = {key[1] for key in before}
    newly = [key[1:] for key in _demanded(after) - _demanded(before) if key[1] in known and rows[key[1]]]
    assert not newly, (where, newly)


def _demanded(traits: Traits) -> set[Key]:
    """The columns that each INSERT has to name."""
    return {
        key
        for key, nullable in traits.items()
        if key[0] == "null" and key[2] != "id" and not nullable and traits["default", *key[1:]] is None
    }


def _rows_are_kept(where: str, before: Rows, after: Rows) -> None:
    for table, rows in before.items():
        for number, row in rows.items():
            now = after[table][number]
            changed = {name: (value, now[name]) for name, value in row.items() if now[name] != value}
            assert not changed, (where, table, number, changed)
        assert after[table].keys() == rows.keys(), (where, table)


def _defined_anew(planned: Sequence[PlannedChange]) -> set[tuple[str, ...]]:
    """What is withheld for a unique constraint with another definition.

    SQLite has a constraint that was added to a table as an index, and tells of the index and of the constraint.
    """
    anew = {(one.change.table, one.change.unique.name) for one in planned if isinstance(one.change, c.UniqueChanged)}
    withheld = (one.change for one in planned if one.withheld)
    kinds = c.UniqueChanged | c.UniqueAdded | c.IndexRemoved
    apart = [change for change in withheld if isinstance(change, kinds)]
    names = [one.index.name if isinstance(one, c.IndexRemoved) else one.unique.name for one in apart]
    return {identity(one) for one, name in zip(apart, names, strict=True) if (one.table, name) in anew}
