"""What the source sees of apps, and what it refuses to pass over."""

from __future__ import annotations

import importlib
import sys

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.doctypes.framework_m import framework_m_doctypes, publish_tables
from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables
from framework_m_migrations.domain.errors import AppBroken, InvalidMetadata, MissingDependency
from framework_m_migrations.ports.app_discovery import App
from tests.framework_m.apps import HEADER, SHOP
from tests.framework_m.conftest import MakeApp, forget


def tables(*apps: App, include_core: bool = False) -> dict[str, sa.Table]:
    """DocType name to its own table."""
    found = framework_m_doctypes(apps, include_core=include_core)
    return {doctype.name or "": doctype.tables[0] for doctype in found}


def keys(table: sa.Table) -> dict[str, str]:
    return {column.name: key.target_fullname for column in table.columns for key in column.foreign_keys}


def doctype(body: str, name: str = "Thing") -> str:
    return HEADER + f"\n\nclass {name}(BaseDocType):\n    {body}\n"


def test_all_doctypes_of_an_app_and_of_the_host_are_found(make_app: MakeApp) -> None:
    found = framework_m_doctypes([make_app("shop", SHOP)])
    apps = {doctype.name: doctype.app for doctype in found}
    assert {name for name, app in apps.items() if app == "shop"} == {
        "Basket", "Customer", "Hidden", "Line", "Shelf", "ShopSettings", "Warehouse"
    }  # fmt: skip
    assert apps["LocalUser"] == apps["_jobs"] == "framework_m_core"
    assert len([app for app in apps.values() if app == "framework_m_core"]) > 40


def test_the_name_of_an_entry_point_may_differ_from_the_package(make_app: MakeApp) -> None:
    app = make_app("acme_shop", {"doctypes/thing.py": doctype("title: str")}, name="shop", reference="acme_shop:app")
    found = framework_m_doctypes([app], include_core=False)
    assert [(item.name, item.app) for item in found] == [("Thing", "shop")]


def test_an_app_without_doctypes_adds_nothing(make_app: MakeApp) -> None:
    assert framework_m_doctypes([make_app("bare", {})], include_core=False) == ()


def test_doctypes_in_a_single_module_are_found(make_app: MakeApp) -> None:
    assert list(tables(make_app("flat", {"doctypes.py": doctype("title: str")}))) == ["Thing"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        ("from framework_m_core import nothing_like_it", "nothing_like_it"),
        ("raise RuntimeError('half written')", "half written"),
        ("def (", "invalid syntax"),
        (doctype("custom_fields: dict[str, Any] = {}"), "custom_fields"),
        (doctype("title: Missing"), "Missing"),
    ],
)
def test_a_doctypes_module_that_fails_is_named(make_app: MakeApp, text: str, reason: str) -> None:
    app = make_app("shop", {"doctypes/good.py": doctype("title: str"), "doctypes/deep/bad.py": text})
    with pytest.raises(AppBroken, match=r"shop\.doctypes\.deep\.bad") as caught:
        tables(app)
    assert reason in str(caught.value)
    assert caught.value.details == {"app": "shop", "module": "shop.doctypes.deep.bad"}
    assert caught.value.__cause__ is not None


def test_an_app_that_fails_itself_is_named(make_app: MakeApp) -> None:
    app = make_app("shop", {"__init__.py": "import no_such_package", "doctypes/good.py": doctype("title: str")})
    with pytest.raises(AppBroken, match="importing shop failed"):
        tables(app)


def test_a_failing_import_of_a_failing_import_is_named(make_app: MakeApp) -> None:
    app = make_app("shop", {"doctypes/a.py": "import shop.helpers\n", "helpers.py": "import no_such_package\n"})
    with pytest.raises(AppBroken, match=r"helpers\.py, line 1"):
        tables(app)


def test_a_test_module_beside_a_doctype_may_lack_its_tools(make_app: MakeApp) -> None:
    files = {"doctypes/thing.py": doctype("title: str"), "doctypes/test_thing.py": "import no_such_test_tool\n"}
    assert list(tables(make_app("shop", files))) == ["Thing"]


def test_a_test_module_that_misses_its_own_app_is_broken(make_app: MakeApp) -> None:
    files = {"doctypes/thing.py": doctype("title: str"), "doctypes/test_thing.py": "import shop.gone\n"}
    with pytest.raises(AppBroken, match=r"shop\.doctypes\.test_thing"):
        tables(make_app("shop", files))


def test_a_business_doctype_whose_module_looks_like_a_test_is_seen(make_app: MakeApp) -> None:
    files = {"doctypes/test_result.py": doctype("title: str", "TestResult")}
    assert list(tables(make_app("lab", files))) == ["TestResult"]


def test_two_apps_with_one_doctype_name_are_refused(make_app: MakeApp) -> None:
    first = make_app("shop", {"doctypes/thing.py": doctype("title: str")})
    second = make_app("crm", {"doctypes/thing.py": doctype("label: str")})
    with pytest.raises(InvalidMetadata, match=r"shop\.doctypes\.thing.*crm\.doctypes\.thing"):
        tables(first, second)


def test_virtual_bases_of_one_name_in_two_apps_are_no_matter(make_app: MakeApp) -> None:
    base = doctype("title: str\n    class Meta:\n        create_schema = False", "AppDoc")
    first = make_app("shop", {"doctypes/base.py": base})
    second = make_app("crm", {"doctypes/base.py": base, "doctypes/lead.py": doctype("title: str", "Lead")})
    assert list(tables(first, second)) == ["Lead"]


def test_two_doctypes_with_one_table_are_refused(make_app: MakeApp) -> None:
    one = doctype("title: str\n    class Meta:\n        table_name = 'things'")
    other = doctype("label: str\n    class Meta:\n        table_name = 'things'", "Other")
    with pytest.raises(InvalidMetadata, match="both want the table 'things'"):
        tables(make_app("shop", {"doctypes/one.py": one, "doctypes/other.py": other}))


def test_a_registered_override_is_the_doctype(make_app: MakeApp) -> None:
    base = doctype("title: str\n    class Meta:\n        table_name = 'things'")
    override = (
        HEADER + "from shop.doctypes.thing import Thing\nclass BetterThing(Thing):\n    extra: str | None = None\n"
    )
    shop = make_app("shop", {"doctypes/thing.py": base})
    plus = make_app("plus", {"doctypes/better.py": override})
    tables(shop, plus)
    from framework_m_core.registry import MetaRegistry

    registry = MetaRegistry.get_instance()
    registry.register_override("Thing", registry.get_doctype("BetterThing"))
    found = framework_m_doctypes([shop, plus], include_core=False)
    assert [(item.name, item.app) for item in found] == [("Thing", "shop")]
    assert "extra" in found[0].tables[0].columns


def test_fields_added_at_boot_are_seen_before_and_after_the_host_bakes_them_in(make_app: MakeApp) -> None:
    from framework_m_core.metadata_decorator import MetadataDecoratorRegistry
    from framework_m_core.registry import MetaRegistry

    app = make_app(
        "shop", {"doctypes/thing.py": doctype("title: str"), "doctypes/other.py": doctype("x: int", "Other")}
    )
    decorators = MetadataDecoratorRegistry.get_instance()
    decorators.register_property("Thing", "loyalty", int, unique=True)
    columns = tables(app)["Thing"].columns
    assert isinstance(columns["loyalty"].type, sa.Integer)
    assert columns["loyalty"].nullable
    assert columns["loyalty"].unique
    decorators.register_property("Other", "late", str)  # the host would refuse this once anything was baked
    MetaRegistry.get_instance().bake_augmented_models()
    again = tables(app)
    assert "loyalty" in again["Thing"].columns
    assert "late" in again["Other"].columns


def test_indexes_added_by_a_decorator_are_seen(make_app: MakeApp) -> None:
    from framework_m_core.metadata_decorator import MetadataDecoratorRegistry

    def index_title(meta: dict[str, object]) -> dict[str, object]:
        return {**meta, "indexes": [{"fields": ["title"]}]}

    MetadataDecoratorRegistry.get_instance().register("Thing", index_title)
    table = tables(make_app("shop", {"doctypes/thing.py": doctype("title: str")}))["Thing"]
    assert "ix_thing_title" in {index.name for index in table.indexes}


def test_loading_twice_in_one_process_gives_the_same_and_leaves_the_host_alone(make_app: MakeApp) -> None:
    from framework_m_standard.adapters.db.table_registry import TableRegistry

    app = make_app("shop", SHOP)
    TableRegistry().register_table("Customer", sa.Table("customer", sa.MetaData(), sa.Column("id", sa.Integer)))
    first, second = framework_m_doctypes([app]), framework_m_doctypes([app])
    assert [item.name for item in first] == [item.name for item in second]
    assert TableRegistry().list_tables() == ["Customer"]
    for tables_ in (first, second, first):
        publish_tables(tables_)
    registry = TableRegistry()
    assert registry.get_table("Warehouse") is next(i for i in first if i.name == "Warehouse").tables[0]


def test_a_module_imported_anew_is_believed(make_app: MakeApp) -> None:
    app = make_app("shop", {"doctypes/thing.py": doctype("title: str")})
    tables(app)
    app = make_app("shop", {"doctypes/thing.py": doctype("title: str\n    added: int = 1")})
    assert "added" in tables(app)["Thing"].columns


def test_a_broken_override_of_the_mapper_is_named(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "framework_m_core.container", raising=False)
    app = make_app("shop", {}, overrides={"schema_mapper": "shop.nowhere:Mapper"})
    with pytest.raises(AppBroken, match=r"schema_mapper = shop\.nowhere:Mapper"):
        tables(app)


def test_an_override_of_the_mapper_maps(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "framework_m_core.container", raising=False)
    mapper = """
        from framework_m_standard.adapters.db.schema_mapper import SchemaMapper

        class Mapper(SchemaMapper):
            def _get_table_name(self, model):
                return "x_" + super()._get_table_name(model)
    """
    files = {"doctypes/thing.py": doctype("title: str"), "mapping.py": mapper}
    app = make_app("shop", files, overrides={"schema_mapper": "shop.mapping:Mapper"})
    assert tables(app)["Thing"].name == "x_thing"


def test_the_mapper_of_a_running_container_is_used(make_app: MakeApp) -> None:
    container = importlib.import_module("framework_m_core.container")
    assert container is sys.modules["framework_m_core.container"]
    assert "Thing" in tables(make_app("shop", {"doctypes/thing.py": doctype("title: str")}))


def test_without_the_host_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    package = "framework_m_migrations.adapters.doctypes.framework_m"
    kept = {name: module for name, module in sys.modules.items() if name == package or name.startswith(f"{package}.")}
    try:
        forget(package)
        monkeypatch.setitem(sys.modules, "framework_m_core", None)
        with pytest.raises(MissingDependency, match=r"framework-m-migrations\[framework-m\]"):
            importlib.import_module(package)
    finally:
        sys.modules.update(kept)


def test_history_tables_come_where_the_host_keeps_them(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        HEADER
        + "from framework_m_core.domain.mixins import VersionedMixin\n"
        + "class Thing(VersionedMixin, BaseDocType):\n    title: str\n"
    )
    app = make_app("shop", {"doctypes/thing.py": text})
    assert [len(item.tables) for item in framework_m_doctypes([app], include_core=False)] == [1]
    monkeypatch.setenv("FRAMEWORK_M_STRONGSYNC_VERSIONING", "true")
    (found,) = framework_m_doctypes([app], include_core=False)
    assert isinstance(found, DocTypeTables)
    assert [table.name for table in found.tables] == ["thing", "thing_history"]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [("Intt", "name 'Intt' is not defined"), ("list[Intt] | None", "name 'Intt' is not defined"), ("int[", "")],
)
def test_an_annotation_that_cannot_be_resolved_is_an_error(make_app: MakeApp, annotation: str, reason: str) -> None:
    text = doctype(f"title: str = ''\n    amount: {annotation!r} = None")
    app = make_app("shop", {"doctypes/thing.py": text})
    with pytest.raises((InvalidMetadata, AppBroken)) as caught:
        framework_m_doctypes([app], include_core=False)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "amount" in one)
    assert reason in caught.value.what
    if reason:
        assert "Thing.amount" in caught.value.what
        assert f"thing.py, line {line})" in caught.value.what


def test_what_is_imported_for_type_checkers_alone_is_found_by_its_name(make_app: MakeApp) -> None:
    header = "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
    text = header + HEADER + "\nif TYPE_CHECKING:\n    from shop.doctypes.row import Row\n"
    body = "\n\nclass Thing(BaseDocType):\n    rows: list[Row] = Field(default_factory=list)\n"
    row = doctype("item: str = ''", "Row")
    found = tables(make_app("shop", {"doctypes/thing.py": text + body, "doctypes/row.py": row}))
    assert "rows" not in found["Thing"].columns
    assert "parent" in found["Row"].columns
