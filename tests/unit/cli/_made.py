"""Hand-made results and streams for the tests of the command line."""

from __future__ import annotations

import io

from framework_m_migrations.cli.output import Output
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.plan import Judgement, LockLevel, Plan, PlannedChange, Risk, Step, TableLock
from framework_m_migrations.domain.results import PlanResult, RenderedChange, SyncResult
from framework_m_migrations.domain.schema import Column, ColumnType, TableName

CUSTOMER = TableName("customer")
NOTE = Column("note", ColumnType("TEXT"))
ESCAPE = "\x1b"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def added(column: str = "note", table: TableName = CUSTOMER) -> PlannedChange:
    new = Column(column, ColumnType("TEXT"))
    judgement = Judgement(Risk.SAFE, "column-added", "A nullable column.", "sync")
    return PlannedChange("Customer", "shop", c.ColumnAdded(table, new), judgement, (o.AddColumn(table, new),))


def narrowed() -> PlannedChange:
    before, after = Column("title", ColumnType("VARCHAR(200)")), Column("title", ColumnType("VARCHAR(20)"))
    judgement = Judgement(Risk.WARNING, "type-narrowed", "Values may not fit.", "create")
    return PlannedChange("Customer", "shop", c.ColumnTypeChanged(CUSTOMER, before, after), judgement)


def ghost(handled_by: str = "sync --allow-drop") -> PlannedChange:
    table = TableName("old_thing")
    judgement = Judgement(Risk.BREAKING, "table-removed", "Its rows would be lost.", handled_by)
    change = c.TableRemoved(table, owned=True)
    return PlannedChange("OldThing", None, change, judgement, (o.DropTable(table),))


ADD_SQL = "ALTER TABLE customer ADD COLUMN note TEXT"
DROP_SQL = "DROP TABLE old_thing"


def a_plan(*changes: PlannedChange, transactional: bool = True) -> PlanResult:
    chosen = changes or (added(), narrowed(), ghost())
    applied = [planned for planned in chosen if not planned.withheld]
    steps = tuple(
        Step(
            operations=(o.AddColumn(CUSTOMER, NOTE),),
            transactional=transactional,
            locks=(TableLock(CUSTOMER, LockLevel.ACCESS_EXCLUSIVE),),
            hazards=("The table is large.",),
        )
        for _ in applied[:1]
    )
    sql_of = {Risk.SAFE: (ADD_SQL,), Risk.WARNING: (), Risk.BREAKING: (DROP_SQL,)}
    rendered = tuple(RenderedChange(planned, sql_of[planned.judgement.risk]) for planned in chosen)
    return PlanResult(Plan(changes=chosen, steps=steps), rendered, tuple((ADD_SQL,) for _ in steps))


def a_sync(**fields: object) -> SyncResult:
    made: dict[str, object] = {"plan": a_plan(), "applied": True, "steps": 1, "seconds": 1.234}
    return SyncResult(**(made | fields))  # type: ignore[arg-type]


def an_output(*, terminal: bool = False, **modes: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    kind = Terminal if terminal else io.StringIO
    out, err = kind(), kind()
    return Output(stdin=kind(), stdout=out, stderr=err, **modes), out, err  # type: ignore[arg-type]
