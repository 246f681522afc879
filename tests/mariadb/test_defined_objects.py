"""Views, functions, procedures, triggers and rows on MariaDB."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql as mysql_types
from sqlalchemy_declarative_extensions import Row, View, declare_database
from sqlalchemy_declarative_extensions.dialects import mysql

from tests.sync.conftest import Site
from tests.sync.test_defined_objects import with_values

pytestmark = pytest.mark.mariadb


def declared(**objects: Any) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))
    declare_database(metadata, **objects)
    return metadata


def test_all_kinds_are_created_and_as_declared(one_site: Site) -> None:
    metadata = declared(
        views=[
            View("b", "SELECT count(*) AS many FROM a"),
            View("a", "SELECT id, concat(n, ':x') AS c FROM t WHERE n > 1"),
        ],
        functions=[
            mysql.Function("twice", "RETURN x * 2", returns="integer", parameters=["x integer"], deterministic=True)
        ],
        procedures=[mysql.Procedure("empty_it", "BEGIN SET @emptied = 1; END")],
        triggers=[mysql.Trigger.before("insert", on="t", name="bump", execute="SET NEW.n = NEW.n + 1")],
        rows=[Row("t", id=1)],
    )
    one_site.settle(metadata)
    one_site.execute("INSERT INTO t VALUES (2, 1)")
    assert one_site.rows("SELECT many, twice(4) FROM b") == [(1, 8)]
    assert one_site.plan(metadata).to_dict()["notes"] == []


def test_a_view_is_replaced_in_place_unless_it_loses_a_column(one_site: Site) -> None:
    one_site.settle(declared(views=[View("v", "SELECT id, n FROM t")]))
    one_site.settle(declared(views=[View("v", "SELECT n, id, 1 AS more FROM t")]))
    (change,) = one_site.plan(declared(views=[View("v", "SELECT id FROM t")])).to_dict()["changes"]
    assert (change["risk"], change["handled_by"]) == ("warning", "create")


def test_rows_of_every_kind_of_value(one_site: Site) -> None:
    more: dict[str, tuple[Any, Any, Any]] = {
        "marks": (mysql_types.SET("x", "y"), {"x", "y"}, {"x"}),
        "year": (mysql_types.YEAR(), 2024, 2025),
        "bits": (mysql_types.BIT(8), 5, 6),
    }
    one_site.settle(with_values(1, **more))
    (change,) = one_site.plan(with_values(2, **more)).to_dict()["changes"]
    assert (change["risk"], change["handled_by"]) == ("warning", "create")
