"""Issue 2, point 1: what sync creates and changes, over every way to a database."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
from typing import Any

import pytest
import sqlalchemy as sa

from tests.sync.conftest import Site


def base(*columns: sa.Column[Any], name: str = "item") -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


def test_tables_that_reference_each_other_in_a_circle(site: Site) -> None:
    metadata = sa.MetaData()
    for one, other in (("hen", "egg"), ("egg", "hen")):
        sa.Table(
            one,
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("other", sa.ForeignKey(f"{other}.id", name=f"fk_{one}", use_alter=True)),
        )
    sa.Table(
        "tree",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent", sa.ForeignKey("tree.id", ondelete="CASCADE")),
    )
    site.settle(metadata)
    inspector = site.inspect()
    assert {name: inspector.get_foreign_keys(name)[0]["referred_table"] for name in ("hen", "egg", "tree")} == {
        "hen": "egg",
        "egg": "hen",
        "tree": "tree",
    }


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


DEFAULTS: list[tuple[str, sa.types.TypeEngine[Any], object, object]] = [
    ("quote", sa.String(50), 'it\'s "so"', 'it\'s "so"'),
    ("colon", sa.String(50), ":x and ::y", ":x and ::y"),
    ("percent", sa.String(50), "100%s %(a)s %%", "100%s %(a)s %%"),
    ("backslash", sa.String(50), "a\\b\n\tc", "a\\b\n\tc"),
    ("unicode", sa.String(50), "naïve 💡", "naïve 💡"),
    ("empty", sa.String(50), "", ""),
    ("number", sa.Integer(), -7, -7),
    ("decimal", sa.Numeric(10, 2), decimal.Decimal("12.50"), decimal.Decimal("12.50")),
    ("yes", sa.Boolean(), True, True),
    ("no", sa.Boolean(), False, False),
    ("day", sa.Date(), dt.date(2024, 2, 29), dt.date(2024, 2, 29)),
    ("moment", sa.DateTime(), dt.datetime(2024, 2, 29, 12, 30), dt.datetime(2024, 2, 29, 12, 30)),  # noqa: DTZ001
    ("json", sa.JSON(), {"a": [1, "it's: %"]}, {"a": [1, "it's: %"]}),
    ("container", sa.JSON(), dict, {}),
    ("enum", sa.Enum(Colour, name="colour"), Colour.GREEN, Colour.GREEN),
]


@pytest.mark.parametrize(("name", "type_", "default", "stored"), DEFAULTS, ids=[case[0] for case in DEFAULTS])
def test_a_required_column_with_a_constant_default_of_the_application(
    site: Site, name: str, type_: sa.types.TypeEngine[Any], default: object, stored: object
) -> None:
    site.settle(base())
    site.execute("INSERT INTO item (id) VALUES (1), (2)")
    wanted = base(sa.Column("added", type_, nullable=False, default=default))
    site.settle(wanted)
    table = wanted.tables["item"]
    with site.plain.begin() as connection:
        connection.exec_driver_sql("INSERT INTO item (id) VALUES (3)")
        values = connection.scalars(sa.select(table.c.added).order_by(table.c.id)).all()
    assert values == [stored, stored, stored]


@pytest.mark.parametrize("default", ["it's", ":x", "100%", "a''b", "CURRENT_TIMESTAMP"])
def test_a_required_column_with_a_server_default(site: Site, default: str) -> None:
    site.settle(base())
    site.execute("INSERT INTO item (id) VALUES (1)")
    site.settle(base(sa.Column("added", sa.String(40), nullable=False, server_default=default)))
    assert site.rows("SELECT added FROM item") == [(default,)]


def test_a_nullable_column_and_one_with_a_server_side_function(site: Site) -> None:
    site.settle(base())
    site.execute("INSERT INTO item (id) VALUES (1)")
    site.settle(base(sa.Column("note", sa.Text)))
    assert site.rows("SELECT note FROM item") == [(None,)]


def rules(**wanted: bool) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("owner", metadata, sa.Column("id", sa.Integer, primary_key=True))
    item = sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code", sa.String(20)),
        sa.Column("size", sa.Integer),
        sa.Column("owner_id", sa.Integer),
    )
    if wanted.get("plain"):
        sa.Index("ix_plain", item.c.code)
    if wanted.get("composite"):
        sa.Index("ix_composite", item.c.code, item.c.size.desc())
    if wanted.get("unique_index"):
        sa.Index("ix_unique", item.c.size, unique=True)
    if wanted.get("partial"):
        where = sa.text("size > 5")
        sa.Index("ix_partial", item.c.code, postgresql_where=where, sqlite_where=where)
    if wanted.get("expression"):
        sa.Index("ix_expression", sa.func.lower(item.c.code))
    if wanted.get("unique"):
        item.append_constraint(sa.UniqueConstraint("code", "size", name="uq_code_size"))
    if wanted.get("unnamed"):
        item.append_constraint(sa.UniqueConstraint("code"))
    if wanted.get("check"):
        item.append_constraint(sa.CheckConstraint("size >= 0", name="ck_size"))
    if wanted.get("foreign_key"):
        item.append_constraint(
            sa.ForeignKeyConstraint(
                ["owner_id"], ["owner.id"], name="fk_owner", ondelete="SET NULL", onupdate="CASCADE"
            )
        )
    return metadata


KINDS = [
    "plain",
    "composite",
    "unique_index",
    "partial",
    "expression",
    "unique",
    "unnamed",
    "check",
    "foreign_key",
]


@pytest.mark.parametrize("rows", [False, True], ids=["empty", "rows"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_index_or_constraint_on_a_table_that_exists(site: Site, kind: str, rows: bool) -> None:
    site.settle(rules())
    if rows:
        site.execute(
            "INSERT INTO owner (id) VALUES (1)",
            "INSERT INTO item (id, code, size, owner_id) VALUES (1, 'a', 1, 1), (2, 'b', 2, NULL)",
        )
    site.settle(rules(**{kind: True}))
    inspector = site.inspect()
    # SQLAlchemy 2.0 does not read the quoted name of a foreign key on SQLite.
    all_indexes = (
        "SELECT name || coalesce(sql, '') FROM sqlite_master" if site.is_sqlite else "SELECT indexname FROM pg_indexes"
    )
    found = {
        *(str(row[0]) for row in site.rows(all_indexes)),
        *(str(one["name"]) for one in ([] if site.is_sqlite else inspector.get_unique_constraints("item"))),
        *(str(one["name"]) for one in inspector.get_check_constraints("item")),
        *(str(one["name"]) for one in inspector.get_foreign_keys("item")),
    }
    names = {"unique": "uq_code_size", "check": "ck_size", "foreign_key": "fk_owner", "unique_index": "ix_unique"}
    if kind != "unnamed":
        assert any(names.get(kind, f"ix_{kind}") in name for name in found)
    if kind == "foreign_key":
        options = inspector.get_foreign_keys("item")[0]["options"]
        assert (options["ondelete"], options["onupdate"]) == ("SET NULL", "CASCADE")
    assert len(site.rows("SELECT * FROM item")) == (2 if rows else 0)


def test_all_of_them_with_the_table(site: Site) -> None:
    site.settle(rules(**dict.fromkeys(KINDS, True)))


def test_a_change_of_what_a_foreign_key_does_is_seen_and_stays_reported(site: Site) -> None:
    site.settle(rules(foreign_key=True))
    wanted = rules()
    wanted.tables["item"].append_constraint(
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"], name="fk_owner", ondelete="CASCADE", onupdate="CASCADE")
    )
    for _ in range(2):
        result = site.sync(wanted)
        assert [(p.change.__class__.__name__, p.judgement.risk.label) for p in result.withheld] == [
            ("ForeignKeyChanged", "warning")
        ]


def test_labels_are_appended_to_an_enumeration(site: Site) -> None:
    site.settle(base(sa.Column("state", sa.Enum("open", "closed", name="state"))))
    site.execute("INSERT INTO item (id, state) VALUES (1, 'open')")
    wanted = base(sa.Column("state", sa.Enum("open", "stalled", "closed", name="state"), server_default="stalled"))
    site.settle(wanted)
    site.execute("INSERT INTO item (id) VALUES (2)")
    assert site.rows("SELECT state FROM item ORDER BY id") == [("open",), ("stalled",)]
    if not site.is_sqlite:
        assert site.rows("SELECT enumlabel FROM pg_enum ORDER BY enumsortorder") == [
            ("open",),
            ("stalled",),
            ("closed",),
        ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (sa.String(20), sa.String(200)),
        (sa.String(20), sa.Text()),
        (sa.Numeric(10, 2), sa.Numeric(12, 2)),
    ],
)
def test_a_lossless_widening_is_applied(
    site: Site, before: sa.types.TypeEngine[Any], after: sa.types.TypeEngine[Any]
) -> None:
    site.settle(base(sa.Column("value", before)))
    site.execute("INSERT INTO item (id, value) VALUES (1, '12.5')")
    site.settle(base(sa.Column("value", after)))
    assert len(site.rows("SELECT value FROM item")) == 1


def test_a_column_computed_of_one_that_is_widened_in_the_same_release(site: Site) -> None:
    site.settle(base(sa.Column("name", sa.String(5))))
    site.execute("INSERT INTO item (id, name) VALUES (1, 'ABCDE')")
    computed = sa.Column("lower_name", sa.String(9), sa.Computed("lower(name)"))
    site.settle(base(sa.Column("name", sa.String(9)), computed))
    site.execute("INSERT INTO item (id, name) VALUES (2, 'ABCDEFGHI')")
    assert site.rows("SELECT lower_name FROM item ORDER BY id") == [("abcde",), ("abcdefghi",)]


def test_a_changed_default_is_for_rows_inserted_later(site: Site) -> None:
    site.settle(base(sa.Column("value", sa.String(9), server_default="old")))
    site.execute("INSERT INTO item (id) VALUES (1)")
    site.settle(base(sa.Column("value", sa.String(9), server_default="new")))
    site.execute("INSERT INTO item (id) VALUES (2)")
    site.settle(base(sa.Column("value", sa.String(9))))
    site.execute("INSERT INTO item (id) VALUES (3)")
    assert site.rows("SELECT value FROM item ORDER BY id") == [("old",), ("new",), (None,)]


def test_not_null_on_an_empty_table_is_safe(site: Site) -> None:
    site.settle(base(sa.Column("value", sa.String(9))))
    site.settle(base(sa.Column("value", sa.String(9), nullable=False)))
    assert not site.inspect().get_columns("item")[1]["nullable"]


NAMES = [
    "order",
    "group",
    "user",
    "select",
    "camelCase",
    "with space",
    "with.dot",
    'with"quote',
    "with'tick",
    "with%percent",
    "with:colon",
    "naïve_ß_数",
    "x" * 63,
    "y" * 80,
    "ä" * 40,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_quoted_right(site: Site, name: str) -> None:
    def wanted(*columns: str) -> sa.MetaData:
        metadata = base(*(sa.Column(one, sa.String(10)) for one in columns), name=name)
        table = metadata.tables[name]
        for one in columns:
            sa.Index(f"ix {one}"[:60], table.c[one])
        child = sa.Table(
            f"c {name}", metadata, sa.Column(name, sa.Integer, primary_key=True), sa.Column("p", sa.Integer)
        )
        child.append_constraint(sa.ForeignKeyConstraint(["p"], [table.c.id]))
        return metadata

    site.settle(wanted(name))
    site.settle(wanted(name, "other"))
    created = [one for one in site.inspect().get_table_names() if not one.startswith("__schema")]
    assert len(created) == 2


def test_a_check_written_at_its_column(site: Site) -> None:
    def wanted(*names: str) -> sa.MetaData:
        return base(
            *(sa.Column(one, sa.Integer, sa.CheckConstraint(f"{one} > 0", name=f"ck_{one}")) for one in names),
            sa.Column("free", sa.Integer, sa.CheckConstraint("free <> 7")),
        )

    site.settle(wanted("a"))
    site.execute("INSERT INTO item (id, a) VALUES (1, 1)")
    site.settle(wanted("a", "b"))
    with pytest.raises(sa.exc.IntegrityError):
        site.execute("INSERT INTO item (id, b) VALUES (2, -1)")
    with pytest.raises(sa.exc.IntegrityError):
        site.execute("INSERT INTO item (id, free) VALUES (3, 7)")
