"""Tables that no DocType wants any more are dropped on request, whatever refers to what among them."""

from __future__ import annotations

import sqlalchemy as sa

from tests.sync.conftest import Site


def kept() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("kept", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def with_ghosts() -> sa.MetaData:
    """Two chains, one for each order of names, a circle of three, and a table that refers to itself."""
    metadata = kept()
    for name, targets in {
        "a_parent": [],
        "b_child": ["a_parent"],
        "c_child": ["d_parent", "kept"],
        "d_parent": [],
        "ring_one": ["ring_two"],
        "ring_two": ["ring_three"],
        "ring_three": ["ring_one"],
        "self": ["self"],
    }.items():
        columns = [
            sa.Column(
                f"{target}_id", sa.Integer, sa.ForeignKey(f"{target}.id", name=f"fk_{name}_{target}", use_alter=True)
            )
            for target in targets
        ]
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


def test_ghosts_that_refer_to_each_other_are_dropped(site: Site) -> None:
    site.settle(with_ghosts())
    site.execute(
        "INSERT INTO kept VALUES (1)", "INSERT INTO d_parent VALUES (1)", "INSERT INTO c_child VALUES (1, 1, 1)"
    )
    result = site.sync(kept(), allow_drop=True)
    assert len([text for text in result.dropped if "DROP TABLE" in text.upper()]) == 8
    assert set(site.inspect().get_table_names()) & set(with_ghosts().tables) == {"kept"}
    assert site.plan(kept()).to_dict()["changes"] == []


def test_a_ghost_that_a_foreign_table_refers_to_stays_and_is_told(site: Site) -> None:
    """What is not ours is not touched to make room; what the table refers to stays with it, and the others go."""
    site.settle(with_ghosts())
    site.execute("CREATE TABLE external (id integer PRIMARY KEY, up integer REFERENCES b_child (id))")
    names = {change["table"] for change in site.plan(kept()).to_dict()["changes"]}
    assert "external" not in names
    made = site.sync(kept(), allow_drop=True).to_dict()["plan"]
    told = {change["table"]: change["reason"] for change in made["changes"] if change["handled_by"] == "manual"}
    assert set(told) == {"a_parent", "b_child"}
    assert "external" in told["b_child"]
    left = {"external", "kept", "a_parent", "b_child"}
    assert set(site.inspect().get_table_names()) & {"external", *with_ghosts().tables} == left


def invoice(*tables: str) -> sa.MetaData:
    metadata = kept()
    for name in tables:
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), info={"doctype": "Invoice"})
    return metadata


def test_a_table_that_its_doctype_gave_up_is_told_until_it_is_dropped(site: Site) -> None:
    site.settle(invoice("invoice", "invoice_item"))
    site.execute("INSERT INTO invoice VALUES (1)", "INSERT INTO invoice_item VALUES (1)")
    wanted = invoice("invoice")
    for _ in range(2):
        assert [change["table"] for change in site.sync(wanted).to_dict()["plan"]["changes"]] == ["invoice_item"]
        assert [change["table"] for change in site.plan(wanted).to_dict()["changes"]] == ["invoice_item"]
    assert len(site.sync(wanted, allow_drop=True).dropped) == 1
    assert set(site.inspect().get_table_names()) & {"invoice", "invoice_item"} == {"invoice"}
    assert site.sync(wanted).up_to_date
    assert site.plan(wanted).to_dict()["changes"] == []
