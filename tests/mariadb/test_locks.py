"""The locks that plan names are those that the server takes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.cli.document import render_plain
from framework_m_migrations.cli.reports.declarative import plan_report
from framework_m_migrations.domain.plan import LockLevel
from tests.sync.conftest import Site

HELD = {"a writer": "UPDATE p SET a = 2", "a reader": "SELECT * FROM p"}
WAITS = {
    LockLevel.MDL_EXCLUSIVE: {"a reader", "a writer"},
    LockLevel.MDL_SHARED_NO_WRITE: {"a writer"},
    None: set(),
}


def models(*, column: bool = False, key: bool = False, child: bool = False) -> sa.MetaData:
    metadata = sa.MetaData()
    more = [sa.Column("b", sa.Integer)] if column else []
    sa.Table("p", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Integer), *more)
    link = sa.Column("p", sa.Integer, *([sa.ForeignKey("p.id", name="fk_p")] if key else []))
    sa.Table("q", metadata, sa.Column("id", sa.Integer, primary_key=True), link)
    if child:
        sa.Table("r", metadata, sa.Column("id", sa.Integer, sa.ForeignKey("p.id"), primary_key=True))
    return metadata


@pytest.mark.parametrize("change", ["column", "key", "child"])
def test_whom_a_change_waits_for(one_site: Site, change: str) -> None:
    one_site.sync(models())
    one_site.execute("INSERT INTO p (id, a) VALUES (1, 1)")
    wanted = models(**{change: True})
    plan = one_site.plan(wanted)
    [step] = plan.plan.steps
    level = next((lock.level for lock in step.locks if str(lock.table) == "p"), None)
    waited = set()
    for who, statement in HELD.items():
        with one_site.plain.connect() as holder, one_site.plain.connect() as changing:
            holder.exec_driver_sql(statement)
            changing.exec_driver_sql("SET lock_wait_timeout = 1, innodb_lock_wait_timeout = 1")
            try:
                for sql in plan.sql:
                    changing.exec_driver_sql(sql)
            except sa.exc.OperationalError as error:
                assert "Lock wait timeout" in str(error)  # noqa: PT017 - whether it waits is what is asked
                waited.add(who)
            else:
                break  # It is done. A reader is no hindrance where a writer is none.
    assert waited == WAITS[level]
    assert "ACCESS EXCLUSIVE" not in render_plain(plan_report(plan))
