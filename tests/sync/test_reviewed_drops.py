"""Nothing is dropped that was not in the list that somebody was shown."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import PlanOutdated
from tests.sync.conftest import Site


def wanted(*tables: str, columns: tuple[str, ...] = ()) -> sa.MetaData:
    metadata = sa.MetaData()
    for name in tables:
        made = sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True))
        for column in columns:
            made.append_column(sa.Column(column, sa.String(20)))
    return metadata


def test_what_became_droppable_after_the_list_stops_everything(site: Site) -> None:
    site.settle(wanted("kept", "listed", "later"))
    listed = site.manager(wanted("kept", "later")).plan()
    site.execute("INSERT INTO later (id) VALUES (1)")
    less = site.manager(wanted("kept", columns=("note",)))
    with pytest.raises(PlanOutdated, match="later") as caught:
        less.sync(allow_drop=True, reviewed=listed)
    assert len(caught.value.details["unlisted"]) == 1
    names = set(site.inspect().get_table_names())
    assert {"kept", "listed", "later"} <= names
    assert [column["name"] for column in site.inspect().get_columns("kept")] == ["id"]
    result = less.sync(allow_drop=True, reviewed=less.plan())
    assert len(result.dropped) == 2
    assert {"listed", "later"}.isdisjoint(site.inspect().get_table_names())


def test_what_somebody_else_dropped_meanwhile_is_no_hindrance(site: Site) -> None:
    site.settle(wanted("kept", "one", "two"))
    less = site.manager(wanted("kept"))
    listed = less.plan()
    site.execute("DROP TABLE one")
    assert len(less.sync(allow_drop=True, reviewed=listed).dropped) == 1


def test_a_listed_table_that_changed_since_is_not_dropped(site: Site) -> None:
    site.settle(wanted("kept", "old"))
    less = site.manager(wanted("kept"))
    listed = less.plan()
    site.settle(wanted("kept", "old", columns=("precious",)))
    with pytest.raises(PlanOutdated):
        less.sync(allow_drop=True, reviewed=listed)
    assert "old" in site.inspect().get_table_names()


def test_what_was_wanted_and_never_made_is_not_ours_when_somebody_else_makes_it(site: Site) -> None:
    def declared(*unique: str) -> sa.MetaData:
        metadata = wanted("item", columns=("code",))
        if unique:
            metadata.tables["item"].append_constraint(sa.UniqueConstraint(*unique))
        return metadata

    site.execute(
        "CREATE TABLE item (id INTEGER NOT NULL PRIMARY KEY, code VARCHAR(20))",
        "INSERT INTO item VALUES (1, 'twice'), (2, 'twice')",
    )
    assert "UniqueAdded" in {type(one.change).__name__ for one in site.sync(declared("code")).withheld}
    # The names that this engine itself would have given: an index on SQLite, a constraint on PostgreSQL.
    theirs = "CREATE UNIQUE INDEX item_code_key ON item (code)"
    if not site.is_sqlite:
        theirs = "ALTER TABLE item ADD CONSTRAINT item_code_key UNIQUE (code)"
    site.execute("DELETE FROM item WHERE id = 2", theirs)
    assert site.sync(declared(), allow_drop=True).dropped == ()
    with pytest.raises(sa.exc.IntegrityError):
        site.execute("INSERT INTO item VALUES (3, 'twice')")
