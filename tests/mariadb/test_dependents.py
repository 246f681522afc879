"""What others have built on a column or table of MariaDB keeps it, also where the server itself would let it go."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.sync.conftest import Site

pytestmark = pytest.mark.mariadb


def wanted(*, full: bool) -> sa.MetaData:
    metadata = sa.MetaData()
    for name in ("item", "gone", "free") if full else ("item",):
        columns = ("a", "b", "c", "d", "e") if full else ()
        sa.Table(
            name, metadata, sa.Column("id", sa.Integer, primary_key=True), *(sa.Column(x, sa.Integer) for x in columns)
        )
    return metadata


def test_what_would_break_is_not_offered_and_the_rest_goes(one_site: Site) -> None:
    site = one_site
    site.settle(wanted(full=True))
    site.execute(
        "INSERT INTO item VALUES (1, 2, 3, 4, 5, 6)",
        "INSERT INTO gone VALUES (1, 2, 3, 4, 5, 6)",
        "CREATE VIEW totals AS SELECT item.a AS one, free.b AS two FROM item JOIN free ON free.id = item.id",
        "CREATE VIEW renamed AS SELECT i.c AS three FROM item AS i NATURAL JOIN (SELECT id FROM free) AS f",
        "CREATE TRIGGER heard BEFORE UPDATE ON item FOR EACH ROW SET NEW.d = NEW.d + 1",
        "ALTER TABLE item ADD COLUMN twice INT AS (e * 2) STORED",
        "CREATE TABLE theirs (id INT PRIMARY KEY, gone_id INT, FOREIGN KEY (gone_id) REFERENCES gone (id))",
        "INSERT INTO theirs VALUES (1, 1)",
    )
    plan = site.plan(wanted(full=False)).plan
    told = {
        getattr(getattr(p.change, "column", None), "name", str(p.change.table)): p.judgement.reason
        for p in plan.withheld
        if p.judgement.handled_by == "manual"
    }
    assert set(told) == {"a", "c", "d", "e", "twice", "gone", "free"}
    for name, keeper in {
        "a": "totals",
        "c": "renamed",
        "d": "heard",
        "e": "twice",
        "gone": "theirs",
        "free": "renamed",
    }.items():
        assert keeper in told[name]
    site.sync(wanted(full=False), allow_drop=True)
    assert [column["name"] for column in site.inspect().get_columns("item")] == ["id", "a", "c", "d", "e", "twice"]
    assert site.rows("SELECT id, a, c, d, e, twice FROM item") == [(1, 2, 4, 5, 6, 12)]
    assert site.rows("SELECT count(*) FROM gone JOIN theirs ON gone.id = gone_id") == [(1,)]
    # Nothing was broken: the view is read, and the trigger still fires.
    assert site.rows("SELECT * FROM totals UNION SELECT three, 0 FROM renamed") == []
    site.execute("UPDATE item SET a = 7")
    assert site.rows("SELECT a, d FROM item") == [(7, 6)]
    site.execute(
        "DROP VIEW totals, renamed", "DROP TRIGGER heard", "ALTER TABLE item DROP COLUMN twice", "DROP TABLE theirs"
    )
    site.sync(wanted(full=False), allow_drop=True)
    assert site.plan(wanted(full=False)).plan.is_empty
