"""What plans and revisions must do with the capabilities that an adapter declares."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from framework_m_migrations.container.factories import sql_dialect
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.errors import RevisionFailed
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.schema import ForeignKey, TableName
from framework_m_migrations.embedding.sync import MigrationManager
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.databases import SqlHarness
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import read

type Forbidden = Callable[[c.Change], bool]

_COLUMNS = c.ColumnTypeChanged | c.ColumnNullabilityChanged | c.ColumnDefaultChanged
FORBIDDEN: dict[str, Forbidden] = {
    "alter_constraints": lambda change: isinstance(change, c.CheckAdded | c.ForeignKeyAdded),
    "validates_checks": lambda change: isinstance(change, c.CheckAdded),
    "alter_column": lambda change: isinstance(change, _COLUMNS),
    "key_actions": lambda change: any(key.on_delete or key.on_update for key in _keys(change)),
    "alter_enums": lambda change: isinstance(change, c.EnumValueAdded | c.EnumValuesIncompatible),
    "add_computed": lambda change: isinstance(change, c.ColumnAdded) and change.column.generated is not None,
    "alter_under_dependents": lambda change: isinstance(change, c.ColumnTypeChanged | c.ColumnNullabilityChanged),
    "add_volatile_default": lambda change: isinstance(change, c.ColumnAdded) and change.column.volatile_default,
}
"""By capability, the changes to a table with rows and an index that a database without it cannot make."""


VALUES: tuple[tuple[sa.types.TypeEngine[Any], object], ...] = (
    (sa.Integer(), -7),
    (sa.SmallInteger(), 7),
    (sa.BigInteger(), 2**40),
    (sa.Boolean(), True),
    (sa.String(20), "ü'%s:x\\"),
    (sa.Unicode(20), "\u20ac"),
    (sa.Text(), "two\nlines"),
    (sa.Numeric(10, 2), Decimal("12.50")),
    (sa.Float(), 1.5),
    (sa.Double(), 2.25),
    (sa.Date(), date(2024, 2, 29)),
    (sa.Time(), time(23, 59, 58)),
    (sa.DateTime(), datetime(2024, 2, 29, 23, 59, 58)),  # noqa: DTZ001 - of a column without a zone
    (sa.Interval(), timedelta(days=2, seconds=5)),
    (sa.LargeBinary(), b"\x00\xff'"),
    (sa.JSON(), {"a": [1, None, "x"]}),
    (sa.Uuid(), UUID(int=5)),
    (sa.Enum("b", "it's", name="of_a_type"), "it's"),
    (sa.Enum("b", "it's", name="of_a_text", native_enum=False), "b"),
)
"""A value of each of SQLAlchemy's generic types."""


def _has(harness: SqlHarness, type_: sa.types.TypeEngine[Any]) -> bool:
    """Whether the database has a type at all: JSON, for one, is not everywhere."""
    try:
        with harness.engine.connect() as connection:
            type_.compile(connection.dialect)
    except sa.exc.CompileError:
        return False
    return True


def _keys(change: c.Change) -> tuple[ForeignKey, ...]:
    match change:
        case c.TableAdded(definition=table):
            return table.foreign_keys
        case c.ForeignKeyAdded(foreign_key=key):
            return (key,)
        case _:
            return ()


def first() -> sa.MetaData:
    """A schema to begin with."""
    models = sa.MetaData()
    sa.Table(
        "customer",
        models,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False, server_default="none"),
        sa.Column("email", sa.String(100), index=True),
        sa.Column("amount", sa.Numeric(10, 2)),
        sa.Column("points", sa.Integer),
        sa.Column("state", sa.Enum("new", "old", name="customer_state")),
        sa.Column("surplus", sa.Integer),
        sa.UniqueConstraint("email", "name", name="uq_customer"),
        sa.CheckConstraint("amount >= 0", name="ck_customer"),
    )
    sa.Table("invoice", models, sa.Column("id", sa.Integer, primary_key=True), sa.Column("customer_id", sa.Integer))
    return models


def second() -> sa.MetaData:
    """The same with a change of every kind that sync may make, and of many that it may not."""
    models = sa.MetaData()
    sa.Table(
        "customer",
        models,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, server_default="other"),
        sa.Column("email", sa.String(100), nullable=False, index=True),
        sa.Column("amount", sa.Numeric(12, 2)),
        sa.Column("points", sa.Integer),
        sa.Column("state", sa.Enum("new", "old", "out", name="customer_state")),
        sa.Column("note", sa.String(30)),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("seen", sa.DateTime, server_default=sa.func.now(), comment="the last visit"),
        sa.Column("double", sa.Integer, sa.Computed("points * 2")),
        sa.UniqueConstraint("email", "name", name="uq_customer"),
        sa.UniqueConstraint("name", "points", name="uq_customer_name"),
        sa.CheckConstraint("amount >= 0", name="ck_customer"),
        sa.CheckConstraint("points > 0", name="ck_customer_points"),
        sa.Index("ix_customer_note", "note"),
    )
    sa.Table(
        "invoice",
        models,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("customer_id", sa.Integer, sa.ForeignKey("customer.id", name="fk_invoice_customer")),
    )
    for name, other in (("left_hand", "right_hand"), ("right_hand", "left_hand")):
        sa.Table(
            name,
            models,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("other_id", sa.Integer, sa.ForeignKey(f"{other}.id", name=f"fk_{name}")),
            sa.Column("customer_id", sa.Integer, sa.ForeignKey("customer.id", name=f"fk_{name}_c", ondelete="CASCADE")),
        )
    return models


def withheld(manager: MigrationManager) -> list[PlannedChange]:
    """What the next plan still has to do: withheld changes, and nothing else."""
    changes = manager.plan(force=True).plan.changes
    open_ = [one for one in changes if not one.withheld]
    assert open_ == [], f"sync was expected to leave nothing but withheld changes; the next plan has {open_}"
    return list(changes)


class LifeContract(DatabaseContract):
    """Obligations of planning: a whole life of a schema, whatever the database can do. Needs an SqlHarness."""

    @obligation("planning.life.only-what-can-be-done")
    def test_sync_makes_only_what_the_database_can_do(self, harness: Harness) -> None:
        """A table with rows gets every kind of change: what sync plans succeeds, and the rest is withheld for good."""
        if not isinstance(harness, SqlHarness):
            self.not_applicable("SqlHarness")
            return
        can = harness.run(lambda session: session.capabilities)
        harness.manager(first()).sync()
        assert withheld(harness.manager(first())) == []
        harness.insert(TableName("customer"), [{"id": 1, "name": "Ada", "email": "a@b", "amount": 1}])
        harness.insert(TableName("invoice"), [{"id": 1, "customer_id": 1}])
        manager = harness.manager(second())
        planned = manager.plan().plan.changes
        for capability, forbids in FORBIDDEN.items():
            if not getattr(can, capability):
                wrong = [one for one in planned if not one.withheld and forbids(one.change)]
                assert wrong == [], f"without {capability} these were expected to be withheld: {wrong}"
        manager.sync()
        left = withheld(manager)
        assert manager.sync(force=True).steps == 0, f"a second sync was expected to do nothing; withheld: {left}"
        row = harness.rows(TableName("customer"))[0]
        assert (row["id"], row["name"], row["email"]) == (1, "Ada", "a@b"), f"the row was expected to stay: {row}"
        table = harness.run(lambda session: read(session, "customer"))
        seen, computed = table.column("seen"), table.column("double")
        if can.comments and seen is not None:
            assert seen.comment == "the last visit", "a new column was expected to get its comment"
        harness.insert(TableName("customer"), [{"id": 2, "name": "Bob", "email": "b@b", "points": 4}])
        other = next(row for row in harness.rows(TableName("customer")) if row["id"] == 2)
        if computed is not None:
            assert other["double"] == 8, f"twice the points was expected of the computed column: {other}"
        if not any("state" in str(one) for one in left):
            harness.insert(TableName("customer"), [{"id": 3, "name": "Cy", "email": "c@b", "state": "out"}])

    @obligation("planning.life.revisions")
    def test_a_revision_makes_what_sync_withholds(self, harness: Harness) -> None:
        """``create`` leaves out what the database cannot do; what it writes runs, and ``rollback`` takes it back."""
        if not isinstance(harness, SqlHarness):
            self.not_applicable("SqlHarness")
            return
        harness.manager(first()).sync()
        harness.insert(TableName("customer"), [{"id": 1, "name": "Ada", "email": "a@b", "amount": 1}])
        manager = harness.manager(second())
        manager.create("evolve", app=harness.revisions.apps[0], prove=False)
        manager.run()
        done = list(manager.plan(force=True).plan.changes)
        left = [one for one in done if one.judgement.rule != "unsupported"]
        assert left == [], f"the revision was expected to leave only what the database cannot do: {left}"
        try:
            manager.rollback()
        except RevisionFailed:
            # A column that came under an index cannot go under it: the rollback fails whole.
            assert not harness.run(lambda session: session.capabilities.alter_under_dependents)
            assert withheld(manager) == done, "a rollback that failed was expected to change nothing"
            return
        back = [one for one in harness.manager(first()).plan(force=True).plan.changes if not one.withheld]
        assert back == [], f"after the rollback the first schema was expected: {back}"
        assert [row["name"] for row in harness.rows(TableName("customer"))] == ["Ada"]
        manager.run()
        again = list(manager.plan(force=True).plan.changes)
        assert again == done, f"the revision was expected to do the same after its rollback: {again}"

    @obligation("planning.volatile-default.each-row")
    def test_a_volatile_default_gives_each_row_its_own_value(self, harness: Harness) -> None:
        """A new column with a volatile default is withheld, or each row, old or new, has a value of its own."""
        if not isinstance(harness, SqlHarness) or harness.volatile is None:
            self.not_applicable("a volatile default")
            return

        def models(*columns: sa.Column[Any]) -> sa.MetaData:
            made = sa.MetaData()
            sa.Table("drawn", made, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), *columns)
            return made

        harness.manager(models()).sync()
        harness.insert(TableName("drawn"), [{"id": 1}, {"id": 2}])
        wanted = models(sa.Column("lot", sa.Double, server_default=sa.text(harness.volatile)))
        if harness.manager(wanted).plan().plan.withheld:
            return
        harness.manager(wanted).sync()
        harness.insert(TableName("drawn"), [{"id": 3}])
        lots = [row["lot"] for row in harness.rows(TableName("drawn"))]
        assert None not in lots, f"a value was expected in each row: {lots}"
        assert len(set(lots)) == 3, f"another value was expected in each row: {lots}"
        assert withheld(harness.manager(wanted)) == []

    @obligation("planning.types.there-and-back")
    def test_a_value_of_every_type_comes_back(self, harness: Harness) -> None:
        """A column of each of SQLAlchemy's types is synced, keeps a value, and is no difference afterwards."""
        if not isinstance(harness, SqlHarness):
            self.not_applicable("SqlHarness")
            return
        models = sa.MetaData()
        values = {f"c{number}": one for number, one in enumerate(VALUES) if _has(harness, one[0])}
        columns = [sa.Column(name, type_) for name, (type_, _) in values.items()]
        table = sa.Table("every_type", models, sa.Column("id", sa.Integer, primary_key=True), *columns)
        harness.manager(models).sync()
        assert withheld(harness.manager(models)) == []
        row = {name: value for name, (_, value) in values.items()}
        with harness.engine.begin() as connection:
            connection.execute(sa.insert(table).values(id=1, **row))
            found = dict(connection.execute(sa.select(*columns)).mappings().one())
        wrong = {repr(values[name][0]): (row[name], found[name]) for name in row if row[name] != found[name]}
        assert wrong == {}, f"each value was expected to come back as it was written: {wrong}"

    @obligation("planning.create-all.equals-sync")
    def test_what_create_all_made_is_as_sync_wants_it(self, harness: Harness) -> None:
        """What ``create_all``, sync and a revision make is the same, by the adapter's dump where it has one."""
        if not isinstance(harness, SqlHarness):
            self.not_applicable("SqlHarness")
            return
        models = sa.MetaData()
        sa.Table(
            "made",
            models,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("name", sa.String(50), nullable=False, server_default="it's", index=True),
            sa.Column("amount", sa.Numeric(10, 2), server_default=sa.text("0")),
            sa.UniqueConstraint("name", "amount", name="uq_made"),
            sa.CheckConstraint("amount >= 0", name="ck_made"),
        )
        key = sa.ForeignKey("made.id", name="fk_other")
        sa.Table("other", models, sa.Column("id", sa.Integer, key, primary_key=True, autoincrement=False))
        models.create_all(harness.engine)
        manager = harness.manager(models)
        changes = manager.plan().plan.changes
        assert changes == (), f"create_all was expected to make what sync wants; the plan has {changes}"
        assert manager.sync().steps == 0
        made = self._dumped(harness)
        models.drop_all(harness.engine)
        manager.sync(force=True)
        assert self._dumped(harness) == made, "sync was expected to make what create_all makes"
        models.drop_all(harness.engine)
        manager.create("made", app=harness.revisions.apps[0], prove=False)
        manager.run()
        assert self._dumped(harness) == made, "create and run were expected to make what create_all makes"

    @staticmethod
    def _dumped(harness: SqlHarness) -> object:
        """The objects of models, in the database's own words, or at least as the inspector reads them."""
        services = sql_dialect(harness.engine.dialect.name)
        rehearsal = None if services is None else services.rehearsal()
        if rehearsal is None:
            return harness.run(lambda session: [read(session, "made"), read(session, "other")])
        with harness.engine.connect() as connection:
            dump = rehearsal.dump(connection)
        return {name: said for name, said in dump.items() if "__schema_" not in name and "alembic" not in name}
