"""The tables, with what the host's mapper gets wrong put right."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.literals import FILL_KEY
from tests.framework_m.apps import AWKWARD, HEADER, SHOP
from tests.framework_m.conftest import MakeApp
from tests.framework_m.test_loading import doctype, keys, tables


def test_virtual_doctypes_have_no_table_and_bring_in_no_children(make_app: MakeApp) -> None:
    found = tables(make_app("shop", SHOP))
    assert "Figures" not in found
    assert "VirtualPart" not in found
    names = {table.name for table in found.values()}
    assert names == {"basket", "customer", "hidden", "line", "shelf", "shopsettings", "depots"}


def test_a_child_that_only_a_virtual_doctype_has_gets_no_table(make_app: MakeApp) -> None:
    files = {
        "parts.py": HEADER + "class Part(BaseDocType):\n    label: str\n",
        "doctypes/thing.py": HEADER
        + "import shop.parts\nclass Thing(BaseDocType):\n    parts: list[shop.parts.Part] = []\n"
        + "    class Meta:\n        create_schema = False\n",
    }
    assert tables(make_app("shop", files)) == {}


def test_foreign_keys_are_made_whatever_the_order(make_app: MakeApp) -> None:
    found = tables(make_app("shop", SHOP))
    assert keys(found["Basket"]) == {"buyer": "customer.id", "depot": "depots.id"}
    assert keys(found["Customer"]) == {"parent_company": "customer.id"}
    indexes = {index.name for index in found["Basket"].indexes}
    assert {"ix_basket_buyer", "ix_basket_depot"} <= indexes
    assert "ix_basket_seller_name" not in indexes


def test_a_link_that_holds_a_name_gets_no_key_even_where_the_host_makes_one(make_app: MakeApp) -> None:
    target = HEADER + "class Aim(BaseDocType):\n    title: str\n"
    source = HEADER + "class Zoo(BaseDocType):\n    aim: str = Field(default='', json_schema_extra={'link': 'Aim'})\n"
    found = tables(make_app("shop", {"doctypes/aim.py": target, "doctypes/zoo.py": source}))
    assert keys(found["Zoo"]) == {}
    assert found["Zoo"].foreign_key_constraints == set()
    assert "ix_zoo_aim" not in {index.name for index in found["Zoo"].indexes}


def test_links_in_a_circle_are_all_keys(make_app: MakeApp) -> None:
    def linking(name: str, target: str) -> str:
        return HEADER + (
            f"class {name}(BaseDocType):\n"
            f"    other: UUID | None = Field(default=None, json_schema_extra={{'link': '{target}'}})\n"
        )

    found = tables(make_app("ring", {"doctypes/a.py": linking("A", "B"), "doctypes/b.py": linking("B", "A")}))
    assert keys(found["A"]) == {"other": "b.id"}
    assert keys(found["B"]) == {"other": "a.id"}


@pytest.mark.parametrize("child", ["Line", "Shelf"])
def test_child_tables_have_a_primary_key_and_know_their_parent(make_app: MakeApp, child: str) -> None:
    table = tables(make_app("shop", SHOP))[child]
    assert [column.name for column in table.primary_key] == ["id"]
    assert {"parent", "parentfield", "parenttype", "idx"} <= set(table.columns.keys())
    assert f"ix_{table.name}_parent" in {index.name for index in table.indexes}


def test_a_doctype_that_is_a_child_without_saying_so_may_have_rows_of_its_own(make_app: MakeApp) -> None:
    found = tables(make_app("shop", SHOP))
    assert found["Shelf"].columns["parent"].nullable
    assert not found["Line"].columns["parent"].nullable


def test_a_child_that_no_module_registers_gets_its_table(make_app: MakeApp) -> None:
    files = {
        "parts.py": HEADER
        + "class Bolt(BaseDocType):\n    label: str\n"
        + "class Part(BaseDocType):\n    bolts: list[Bolt] = []\n",
        "doctypes/thing.py": HEADER
        + "import shop.parts\nclass Thing(BaseDocType):\n    parts: list[shop.parts.Part] = []\n",
    }
    found = tables(make_app("shop", files))
    assert list(found) == ["Thing", "Part", "Bolt"]
    assert all(len(table.primary_key) == 1 for table in found.values())


def test_an_index_that_the_host_gives_and_a_doctype_declares_is_one(make_app: MakeApp) -> None:
    indexes = sorted(tables(make_app("shop", SHOP))["Customer"].indexes, key=lambda index: str(index.name))
    names = [index.name for index in indexes]
    assert len(names) == len(set(names))
    assert [index.unique for index in indexes if index.name == "ix_customer_owner"] == [True]
    assert {"ix_customer_creation", "ix_customer_owner_modified", "ix_part"} <= set(names)


def test_singletons_are_tables_as_in_the_host(make_app: MakeApp) -> None:
    assert tables(make_app("shop", SHOP))["ShopSettings"].name == "shopsettings"


def test_tenants_are_told(make_app: MakeApp) -> None:
    found = tables(make_app("shop", SHOP))
    told = {name for name, table in found.items() if table.info["tenant"]}
    assert told == {"Warehouse", "Shelf"}


def test_renames_are_told(make_app: MakeApp) -> None:
    fields = doctype(
        "label: str | None = Field(default=None, json_schema_extra={'renamed_from': 'title'})\n"
        "    class Meta:\n        renamed_from = 'OldThing'"
    )
    table = tables(make_app("shop", {"doctypes/thing.py": fields}))["Thing"]
    assert table.columns["label"].info["renamed_from"] == "title"
    assert table.info["renamed_from"] == "oldthing"


def test_constraints_have_names_so_that_revisions_can_drop_them(make_app: MakeApp) -> None:
    from sqlalchemy.dialects import postgresql

    found = tables(make_app("shop", SHOP))
    for table in found.values():
        for constraint in table.constraints:
            if isinstance(constraint, (sa.UniqueConstraint, sa.ForeignKeyConstraint)):
                assert constraint.name
        sa.schema.CreateTable(table).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]


def test_defaults_are_server_defaults_where_the_host_has_them_and_fills_elsewhere(make_app: MakeApp) -> None:
    columns = tables(make_app("awkward", {"doctypes/awkward.py": AWKWARD}))["Awkward"].columns
    served = {column.name for column in columns if column.server_default is not None}
    assert served == {
        "quote", "colon", "percent", "backslash", "empty", "unicode", "newline", "order", "firstName", "colour",
        "tier", "level", "kind", "flag", "off", "whole", "real", "whole_real",
    }  # fmt: skip
    filled = {column.name for column in columns if FILL_KEY in column.info}
    assert filled == {"plain", "credit", "day", "moment", "clock", "ref", "preset"}


def test_a_default_that_is_no_number_gets_no_literal(make_app: MakeApp) -> None:
    text = doctype("ratio: float = float('inf')")
    column = tables(make_app("shop", {"doctypes/thing.py": text}))["Thing"].columns["ratio"]
    assert column.server_default is None
