"""Options of tables and indexes, however the model spells them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import InvalidMetadata
from tests.sync.conftest import Site

pytestmark = pytest.mark.mariadb


def model(prefix: str, **options: Any) -> sa.MetaData:
    metadata = sa.MetaData()
    given = {"charset": "latin1", "row_format": "COMPACT", "stats_persistent": "1", "auto_increment": "100"} | options
    table = sa.Table(
        "t",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(200)),
        sa.Column("body", sa.String(300)),
        **{f"{prefix}_{name}": value for name, value in given.items()},
    )

    def said(**options: Any) -> dict[str, Any]:
        return {f"{prefix}_{name}": value for name, value in options.items()}

    sa.Index("ix_ft", table.c.title, **said(prefix="FULLTEXT"))
    sa.Index("ix_pre", table.c.title, table.c.body, **said(length={"title": 10, "body": 20}))
    sa.Index("ix_one", table.c.body, **said(length=5, using="btree"))
    return metadata


@pytest.mark.parametrize("prefix", ["mysql", "mariadb"])
def test_both_spellings_make_one_table(one_site: Site, prefix: str) -> None:
    one_site.settle(model(prefix))
    made = str(one_site.rows("SHOW CREATE TABLE t")[0][1])
    for sign in (
        *("FULLTEXT KEY `ix_ft`", "(`title`(10),`body`(20))", "(`body`(5))", "AUTO_INCREMENT=100", "CHARSET=latin1"),
        *("ROW_FORMAT=COMPACT", "STATS_PERSISTENT=1"),
    ):
        assert sign in made
    other = "mariadb" if prefix == "mysql" else "mysql"
    assert one_site.plan(model(other)).plan.notes == ()
    # What nobody declares is left as it is, and reported.
    one_site.execute(
        "ALTER TABLE t MAX_ROWS=7, ENGINE=Aria, ADD SYSTEM VERSIONING, COLLATE latin1_bin, ALTER INDEX ix_pre IGNORED, "
        "MODIFY body varchar(300) COLLATE latin1_swedish_ci INVISIBLE, "
        "MODIFY title varchar(200) COLLATE latin1_swedish_ci"
    )
    said = " ".join(note.what for note in one_site.plan(model(other)).plan.notes)
    for sign in ("max_rows = 7", "engine = aria", "system versioning", "ignored of index ix_pre", "column body"):
        assert f"{sign} is in no model" in said
    assert "collate = latin1_bin" in said


def test_a_difference_is_reported_until_a_revision_is_run(one_site: Site) -> None:
    one_site.settle(model("mysql"))
    wanted = model("mysql", charset="utf8mb4", row_format="DYNAMIC")
    (change,) = one_site.sync(wanted).to_dict()["plan"]["changes"]
    assert (change["rule"], change["handled_by"]) == ("table-options-changed", "create")
    assert "row format = compact" in change["what"]
    (statement,) = one_site.plan(wanted).to_dict()["changes"][0]["sql"]
    one_site.execute(statement)
    assert one_site.plan(wanted).to_dict()["changes"] == []


@pytest.mark.parametrize("option", ["data_directory", "union", "no_such_option"])
def test_an_option_that_is_not_compared_is_refused(one_site: Site, option: str) -> None:
    with pytest.raises(InvalidMetadata, match=option):
        one_site.plan(model("mysql", **{option: "x"}))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((sa.CheckConstraint("id > 0", name="ck"),), "check ck names the AUTO_INCREMENT column"),
        ((sa.ForeignKeyConstraint(["a"], ["t.id"], ondelete="SET NULL"),), "NOT NULL"),
        ((sa.UniqueConstraint("a", name="n"), sa.Index("N", "a")), "n names a constraint and an index"),
    ],
    ids=["check", "set null", "one name"],
)
def test_what_the_server_refuses_is_refused_before(
    one_site: Site, parts: tuple[sa.schema.SchemaItem, ...], said: str
) -> None:
    metadata = sa.MetaData()
    columns = [sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Integer, nullable=False)]
    sa.Table("t", metadata, *columns, *parts)
    with pytest.raises(InvalidMetadata, match=said):
        one_site.plan(metadata)
