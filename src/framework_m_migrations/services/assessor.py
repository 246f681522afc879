"""Asks the database what a judgement depends on, and judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.effects import HookPhase
from framework_m_migrations.domain.filling import key_of
from framework_m_migrations.domain.lowering import stageable
from framework_m_migrations.domain.naming import named
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.risk.conflicts import Obstacle, asked_about, doubtful, withhold_obstructed
from framework_m_migrations.domain.risk.drop_blockers import drops_asked_about, fixed_columns, not_offered
from framework_m_migrations.domain.risk.facts import FactKind, Facts, Question, TypeChange
from framework_m_migrations.domain.risk.prerequisites import withhold_dependents
from framework_m_migrations.domain.risk.rules import DROP, Knowledge, judge, needs_rows, row_question
from framework_m_migrations.domain.risk.unsupported import withhold_unsupported
from framework_m_migrations.domain.schema import Catalog, Column, ColumnType, DocTypeSchema, TableName
from framework_m_migrations.ports.session import Session


@dataclass(frozen=True, slots=True)
class Assessed:
    """Judged changes, with the answers that the judgement used; ``ghosts`` as given, offered where they may go."""

    changes: tuple[PlannedChange, ...]
    knowledge: Knowledge
    ghosts: tuple[PlannedChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessor:
    """Judges changes over one session and the catalog it read.

    Args:
        session: to ask about rows.
        catalog: as it is.
        online: non-blocking DDL is used, where the database has it.
    """

    session: Session
    catalog: Catalog
    online: bool = True

    def assess(
        self,
        doctypes: Sequence[DocTypeSchema],
        found: Mapping[str, list[c.Change]],
        ghosts: Sequence[PlannedChange] = (),
    ) -> Assessed:
        """Judge all changes; those of type that turn out to be none are left out.

        Args:
            doctypes: that were compared.
            found: their differences.
            ghosts: tables that nobody wants any more, in the order of their drops: what they hold may be free then.
        """
        tables = self.catalog.tables
        everything = [change for changes in found.values() for change in changes]
        new_columns = _new_columns(everything)
        types = self._types(everything)
        facts = self._facts(everything, new_columns)
        can = self.session.capabilities
        known = Knowledge(
            facts,
            types,
            new_columns,
            add_volatile_default=can.add_volatile_default,
            staged_defaults=can.staged_defaults,
            distinct_defaults=can.distinct_defaults,
            keyed=frozenset(
                change.table
                for change in everything
                if isinstance(change, c.ColumnAdded | c.ColumnUnfilled)
                and change.table in tables
                and key_of(tables[change.table])
            ),
            partitioned=frozenset(name for name, table in tables.items() if table.partitioned),
            unvalidated_parts=can.unvalidated_part_keys,
            online=self.online,
            drop_unique=can.drop_unique,
            fixed={} if can.drop_unique else fixed_columns(everything, tables),
        )
        apps = {doctype.name: doctype.app for doctype in doctypes}
        seen: set[object] = set()
        judged: list[PlannedChange] = []
        for name, changes in found.items():
            for change in changes:
                if isinstance(change, c.ColumnTypeChanged) and self._is_equal(change, types):
                    continue
                if isinstance(change, _SHARED):
                    key = _enum_key(change)
                    if key in seen:
                        continue
                    seen.add(key)
                judged.extend(
                    PlannedChange(name, apps.get(name), part, judge(part, known)) for part in self._parts(change, known)
                )
        names = named([planned.change for planned in judged], tables, can.naming)
        judged = [replace(planned, change=change) for planned, change in zip(judged, names, strict=True)]
        judged = withhold_unsupported(judged, can, tables, self.catalog.names)
        offered = self._without_held_drops((*judged, *ghosts))
        judged, ghosts = offered[: len(judged)], offered[len(judged) :]
        waiting = partial(
            withhold_dependents,
            existing=self.catalog.names,
            tables=tuple(tables.values()),
            any_index=can.keys_to_any_index,
            fits=can.key_fits,
        )
        withheld = waiting(self._without_obstructed(judged, ghosts))
        tried = self._without_rejected(withheld)
        if tried is not withheld:
            withheld = waiting(tried)
        return Assessed(tuple(withheld), known, tuple(ghosts))

    def _without_held_drops(self, planned: Sequence[PlannedChange]) -> list[PlannedChange]:
        """Offer no drop of what something stands on that stays; one question, where there is any drop.

        What is not offered stays too, and may keep others from being dropped: so the rest is asked about again.
        """
        offered = list(planned)
        while True:
            asked = drops_asked_about(offered)
            held = self.session.inspector.dependents(asked) if asked else {}
            if not held:
                return offered
            offered = not_offered(offered, held)

    def _without_obstructed(
        self, judged: Sequence[PlannedChange], ghosts: Sequence[PlannedChange]
    ) -> list[PlannedChange]:
        """Withhold what something else in the catalog stands in the way of; one question, where there is any."""
        capabilities = self.session.capabilities
        asked = asked_about(judged, capabilities)
        if not asked:
            return list(judged)
        going = {p.change.table for p in ghosts if p.judgement.handled_by == DROP}
        return withhold_obstructed(judged, self.session.inspector.obstacles(asked), going, capabilities)

    def _without_rejected(self, judged: list[PlannedChange]) -> list[PlannedChange]:
        """Withhold what the database rejects whatever the rows, such as a check over a column that is not there."""
        changes = [p.change for p in judged if not p.withheld]
        tries = doubtful(changes, self.catalog.tables)
        if not tries:
            return judged
        made = any(isinstance(change, c.ObjectAdded | c.EnumAdded | c.EnumValueAdded) for change in changes)
        inherited = any(isinstance(one, c.TableAdded) and "inherits" in dict(one.definition.options) for one in changes)
        hooked = any(hook.phase is HookPhase.BEFORE_SYNC for hook in self.session.hooks.hooks())
        asked = [list(several) for several in tries]
        found = self.session.executor.rejected(asked, unsure=made or inherited or hooked)
        whose = {operation: change for several in tries for operation, change in several.items()}
        wrong = {whose[one]: Obstacle(f"The database rejects it: {said}.") for one, said in found.items()}
        return withhold_obstructed(judged, wrong, (), self.session.capabilities) if wrong else judged

    def _parts(self, change: c.Change, known: Knowledge) -> tuple[c.Change, ...]:
        """A column in stages whose NOT NULL cannot be had without a long lock: the column, and what is left of it."""
        match change:
            case c.ColumnAdded(table=table, column=column) | c.ColumnUnfilled(table=table, column=column):
                pass
            case _:
                return (change,)
        can = self.session.capabilities
        staged = isinstance(change, c.ColumnUnfilled) or (
            self.online and table in known.keyed and not known.empty(table) and stageable(column, can)
        )
        if column.nullable or can.unvalidated_not_null or not staged:
            return (change,)
        nullable = replace(column, nullable=True)
        return (replace(change, column=nullable), c.ColumnNullabilityChanged(table, nullable, column))

    def plain(self, doctype: str, app: str | None, change: c.Change) -> PlannedChange:
        """Judge a change whose class needs no facts."""
        return PlannedChange(doctype, app, change, judge(change, Knowledge()))

    @staticmethod
    def _is_equal(change: c.ColumnTypeChanged, types: Mapping[tuple[TableName, str], TypeChange]) -> bool:
        return types.get((change.table, change.column.name)) is TypeChange.EQUAL

    def _types(self, changes: Sequence[c.Change]) -> dict[tuple[TableName, str], TypeChange]:
        return {
            (change.table, change.column.name): self.session.inspector.type_change(
                change.table, change.before, change.column
            )
            for change in changes
            if isinstance(change, c.ColumnTypeChanged)
        }

    def _facts(self, changes: Sequence[c.Change], new_columns: Mapping[TableName, tuple[Column, ...]]) -> Facts:
        capabilities = self.session.capabilities
        online = capabilities.online_index or capabilities.deferred_validation
        about_rows = {
            Question(FactKind.HAS_ROWS, change.table)
            for change in changes
            if change.table in self.catalog.tables
            and (needs_rows(change) or (online and isinstance(change, c.IndexAdded)))
        }
        facts = dict(self.session.inspector.ask(about_rows)) if about_rows else {}
        deciding = {
            question
            for change in changes
            if change.table in self.catalog.tables
            and facts.get(Question(FactKind.HAS_ROWS, change.table)) != 0
            and (question := row_question(change, new_columns)) is not None
            and self._can_ask(question)
        }
        if deciding:
            facts.update(self.session.inspector.ask(deciding))
        return facts

    def _can_ask(self, question: Question) -> bool:
        """A question about a table or a column that does not exist yet has no answer in the database."""
        if question.target is not None and question.target not in self.catalog.names:
            return False
        table = self.catalog.tables[question.table]
        there = {column.name for column in table.columns} | {name for name, _, _ in question.assuming}
        return there.issuperset(question.columns)


def _new_columns(changes: Sequence[c.Change]) -> dict[TableName, tuple[Column, ...]]:
    """The columns that the plan adds or fills, as a question may assume them: of types that exist before the plan."""
    new_types = {change.enum.name for change in changes if isinstance(change, c.EnumAdded)}
    added: dict[TableName, tuple[Column, ...]] = {}
    for change in changes:
        if isinstance(change, c.ColumnAdded) or (
            isinstance(change, c.ColumnUnfilled) and change.column.volatile_default and not change.written
        ):
            column = change.column
            if column.type.enum in new_types:
                column = replace(column, type=ColumnType("text"))
            added[change.table] = (*added.get(change.table, ()), column)
    return added


_SHARED = (c.EnumAdded, c.EnumValueAdded, c.EnumValuesIncompatible, c.ObjectAdded, c.ObjectChanged)


def _enum_key(
    change: c.EnumAdded | c.EnumValueAdded | c.EnumValuesIncompatible | c.ObjectAdded | c.ObjectChanged,
) -> object:
    """Several DocTypes may use one enumeration or object; it is changed once."""
    match change:
        case c.ObjectAdded(object=wanted) | c.ObjectChanged(object=wanted):
            return (wanted.kind, wanted.name)
        case c.EnumAdded(enum=enum) | c.EnumValuesIncompatible(after=enum):
            return (type(change), enum.name)
        case c.EnumValueAdded(enum=name, value=value):
            return ("value", name, value)
