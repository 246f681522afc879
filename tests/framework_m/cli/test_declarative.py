"""What Framework M's present engine gets wrong in ``m migrate sync`` and ``verify``, done right through the real ``m``.

Most rows are one change of a DocType between two syncs: see CHANGES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from scripts.waiting import wait_until
from tests.framework_m.cli.project import Project, thing


@dataclass(frozen=True)
class Change:
    """A DocType before and after, a row in between, and what must be true then."""

    before: str
    after: str
    row: dict[str, object] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()
    check: Callable[[Project], object] | None = None
    meta: str = ""


def _index_exists(project: Project) -> bool:
    inspector = sa.inspect(project.plain)
    found = {tuple(index["column_names"]) for index in inspector.get_indexes("thing")}
    unique = {tuple(one["column_names"]) for one in inspector.get_unique_constraints("thing")}
    return ("title",) in found and ("code",) in unique | found


def _value(column: str, expected: object) -> Callable[[Project], bool]:
    quoted = f'"{column}"'
    return lambda project: project.sql(f"select {quoted} from thing") == [(expected,)]


def _still_there(column: str, expected: object) -> Callable[[Project], bool]:
    return _value(column, expected)


def _column(name: str, key: str, expected: object) -> Callable[[Project], bool]:
    return lambda project: str(project.columns()[name][key]).strip("'") == str(expected)


EVERYWHERE = {
    "an index and a unique constraint on an existing table are created": Change(
        "title: str = ''\ncode: str = ''",
        "title: str = ''\ncode: str = Field(default='', json_schema_extra={'unique': True})",
        {"title": "a", "code": "b"},
        check=_index_exists,
        meta="indexes = [{'fields': ['title']}]",
    ),
    "a varchar is widened": Change(
        "title: str = Field(default='', max_length=20)",
        "title: str = Field(default='', max_length=40)",
        {"title": "a"},
        check=lambda project: project.columns()["title"]["type"].length == 40,
    ),
    "a column that became optional is reported or applied, never missed": Change(
        "title: str = ''\ncount: int = 1", "title: str = ''\ncount: int | None = 1", {"count": 1}, ("*",)
    ),
    "a changed default reaches the database": Change(
        "title: str = 'old'", "title: str = 'new'", {"title": "kept"}, check=_value("title", "kept")
    ),
    "int to text is withheld until it is solved": Change(
        "n: int = 0", "n: str = ''", {"n": 5}, ("*",), _value("n", 5)
    ),
    "text to int is withheld until it is solved": Change(
        "n: str = ''", "n: int = 0", {"n": "x"}, ("*",), _value("n", "x")
    ),
    "int to bool is seen": Change("n: int = 0", "n: bool = False", {"n": 5}, ("*",), _value("n", 5)),
    "int to float is seen, the value stays": Change("n: int = 0", "n: float = 0.0", {"n": 5}, ("*",), _value("n", 5)),
    "a text field that became a link is seen": Change(
        "n: str = 'x'",
        "n: UUID | None = Field(default=None, json_schema_extra={'link': 'Thing'})",
        {"n": "x"},
        ("*",),
        _value("n", "x"),
    ),
    "a varchar that shrank below its rows is withheld": Change(
        "n: str = Field(default='', max_length=20)",
        "n: str = Field(default='', max_length=2)",
        {"n": "long one"},
        ("*",),
        _value("n", "long one"),
    ),
    "an optional column that became required is withheld while it has NULLs": Change(
        "n: str | None = None", "n: str", {"n": None}, ("*",), _value("n", None)
    ),
    "columns named like keywords are quoted": Change(
        "title: str = ''",
        "title: str = ''\norder: str = 'a'\ngroup: int = 1\nselect: str = 'b'",
        {},
        check=lambda project: {"order", "group", "select"} <= project.columns().keys(),
    ),
    "firstName keeps its case": Change(
        "title: str = ''", "title: str = ''\nfirstName: str = 'Ann'", {}, check=_value("firstName", "Ann")
    ),
    "awkward defaults are added to rows that exist": Change(
        "title: str = ''",
        "title: str = ''\nquote: str = \"it's\"\ncolon: str = ':x'\nday: date = date(2024, 2, 29)",
        {},
        check=lambda project: [(q, c, str(d)) for q, c, d in project.sql("select quote, colon, day from thing")]
        == [("it's", ":x", "2024-02-29")],
    ),
    "a required column without a default is withheld with the way out": Change(
        "title: str = ''", "title: str = ''\ncode: str", {}, ("column-required",),
        lambda project: "code" not in project.columns(),
    ),
    "a required column with a default factory is filled, never NULL": Change(
        "title: str = ''",
        "title: str = ''\ndata: dict[str, Any] = Field(default_factory=dict)",
        {},
        check=lambda project: project.sql("select count(data) from thing") == [(1,)],
    ),
    "a field that is gone is reported and its data stays": Change(
        "title: str = ''\nold: str = ''", "title: str = ''", {"old": "kept"}, ("*",), _still_there("old", "kept")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_change_of_a_doctype(on_sqlite: Project, name: str) -> None:
    _try(on_sqlite, EVERYWHERE[name])


@pytest.mark.postgres
@pytest.mark.parametrize("name", [
    "firstName keeps its case", "columns named like keywords are quoted", "int to text is withheld until it is solved",
    "a required column without a default is withheld with the way out",
])  # fmt: skip
def test_a_change_of_a_doctype_on_postgres(on_postgres: Project, name: str) -> None:
    _try(on_postgres, EVERYWHERE[name])


def _try(project: Project, change: Change) -> None:
    project.things(change.before)
    project.m("sync")
    project.insert(**change.row)
    project.things(change.after, meta=change.meta)
    withheld = project.withheld()
    if change.withheld == ("*",):
        assert withheld
    else:
        assert tuple(withheld) == change.withheld
    assert len(project.plan()) == len(withheld)
    if change.check is not None:
        assert change.check(project)


def test_indexes_are_created_on_an_empty_table_too(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("title: str = ''\ncode: str = ''")
    project.m("sync")
    project.things(
        "title: str = ''\ncode: str = Field(default='', json_schema_extra={'unique': True})",
        meta="indexes = [{'fields': ['title']}]",
    )
    project.settle()
    assert _index_exists(project)


def test_what_is_withheld_stays_reported(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("n: str = ''")
    project.m("sync")
    project.insert(n="x")
    project.things("n: int = 0")
    first, second = project.m("sync"), project.m("sync")
    for run in (first, second):
        assert "up to date" not in run.out.lower()
        assert "thing" in run.out
    project.m("verify", code=3)


def test_uuid_columns_on_sqlite_are_no_change(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("ref: UUID | None = None")
    project.settle("--force")


def test_what_was_dropped_by_hand_is_noticed(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("title: str = ''\nextra: int | None = None")
    project.m("sync")
    project.sql("alter table thing drop column extra")
    project.m("sync")
    assert "extra" in project.columns()
    project.sql("drop table thing")
    assert "thing" in project.m("verify", "--strict", code=3).out
    project.m("sync")
    assert "thing" in project.tables()


def test_ghosts_are_reported_and_dropped_only_on_request(on_sqlite: Project) -> None:
    project = on_sqlite
    project.app(
        "shop", {"doctypes/thing.py": thing("title: str = ''"), "doctypes/gone.py": thing("a: int = 1", name="Gone")}
    )
    project.sql("create table strange (id integer)")
    project.m("sync")
    (project.site / "shop" / "doctypes" / "gone.py").write_text("")
    project.things("title: str = ''")
    assert project.withheld()
    assert "gone" in project.tables()
    dropped = project.m("sync", "--allow-drop", "--yes").out
    assert "gone" in dropped
    assert "strange" in project.tables()
    assert "gone" not in project.tables()
    assert "strange" in project.m("verify", code=3).out


def test_virtual_doctypes_get_no_table(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("title: str = ''", meta="create_schema = False")
    project.m("init")
    project.m("create", "first", "--app", "shop")
    project.m("sync")
    assert "thing" not in project.tables()
    assert project.revisions() == [] or "thing" not in project.revisions()[0].read_text()


def test_dry_run_runs_no_hook_and_leaves_no_trace(on_sqlite: Project) -> None:
    project = on_sqlite
    mark = project.folder / "hook-ran"
    hooks = f"def before_sync(engine):\n    open({str(mark)!r}, 'w').close()\n"
    project.app("shop", {"doctypes/thing.py": thing("title: str = ''"), "migrations/__init__.py": hooks})
    project.m("sync", "--dry-run")
    assert not mark.exists()
    assert "thing" not in project.tables()
    project.m("sync")
    assert mark.exists()


def test_a_sync_needs_no_alembic_folder(on_sqlite: Project) -> None:
    on_sqlite.things("title: str = ''")
    on_sqlite.m("sync")
    assert not (on_sqlite.home / "alembic").exists()


BROKEN = {
    "doctypes": ({"doctypes/bad.py": "import no_such_package"}, "shop.doctypes.bad"),
    "hooks": (
        {"doctypes/thing.py": thing("a: int = 1"), "migrations/__init__.py": "import no_such_package"},
        "shop.migrations",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_imported_is_an_error_that_names_it(on_sqlite: Project, name: str) -> None:
    files, named = BROKEN[name]
    on_sqlite.app("shop", files)
    run = on_sqlite.m("sync", code=1)
    assert named in run.err
    assert "no_such_package" in run.err


def test_an_entry_point_may_have_another_name_than_its_module(on_sqlite: Project) -> None:
    on_sqlite.app("acme_shop", {"doctypes/thing.py": thing("title: str = ''")}, name="my-shop")
    on_sqlite.env["INSTALLED_APPS"] = "my_shop"
    on_sqlite.m("sync")
    assert "thing" in on_sqlite.tables()


def test_a_broken_override_is_an_error_that_names_it(on_sqlite: Project) -> None:
    project = on_sqlite
    project.app(
        "shop",
        {"doctypes/thing.py": thing("a: int = 1")},
        plugins="[framework_m.overrides]\nschema_mapper = shop.nowhere:Mapper\n",
    )
    assert "shop.nowhere" in project.m("doctor", code=3).out
    for command in ("sync", "verify", "all"):
        run = project.m(command, code=1)
        assert "shop.nowhere" in run.err
        assert "M111" in run.err
    boot = project.start("boot")
    boot.wait()
    assert "shop.nowhere" in boot.err
    assert "thing" not in project.tables()


def test_the_doctor_is_content_with_a_healthy_project(on_sqlite: Project) -> None:
    broken = (
        "[framework_m_core.cli_commands]\nshop = shop.nowhere:app\n[framework_m.overrides]\nsms = shop.nowhere:Sms\n"
    )
    field = "title: str = Field(default='', json_schema_extra={'renamed_from': 'old'})"
    on_sqlite.app("shop", {"doctypes/thing.py": thing(field)}, plugins=broken)
    on_sqlite.m("sync")
    checks = {check["name"]: check for check in on_sqlite.json("doctor")["checks"]}
    assert all(check["ok"] for check in checks.values()), checks
    assert "shop" in checks["apps"]["found"]
    assert "sync runs before its create_all" in checks["web server"]["found"]
    assert checks["uninstalling"]["found"] == "renames are declared: thing.title"


def test_the_projects_own_tables_come_first_and_the_hosts_in_a_line(on_sqlite: Project) -> None:
    on_sqlite.things("title: str = ''")
    for command in ("plan", "sync"):
        rows = on_sqlite.m(command).out.partition("Steps and their SQL")[0]
        assert "new table" in next(line for line in rows.splitlines() if "SAFE" in line and "thing" in line)
        assert "new tables of framework_m_core; -v lists them." in rows
        assert "localuser" not in rows
    on_sqlite.sql("drop table thing")
    on_sqlite.sql("drop table localuser")
    on_sqlite.sql("drop table webhook")
    out = on_sqlite.m("plan", "-v").out
    assert out.index("thing") < out.index("webhook")


def test_fields_that_another_app_adds_at_boot_are_created(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("title: str = ''")
    step = """
        from framework_m_core.metadata_decorator import MetadataDecoratorRegistry
        class Augment:
            name, order = "augment", 15
            def run(self, container):
                MetadataDecoratorRegistry.get_instance().register_property("Thing", "loyalty", int)
    """
    project.app("extra", {"boot.py": step}, plugins="[framework_m.bootstrap]\naugment = extra.boot:Augment\n")
    project.m("sync")
    assert "loyalty" in project.columns()
    assert project.plan() == []


def test_a_killed_sync_is_completed_by_the_next_one(on_sqlite: Project) -> None:
    project = on_sqlite
    body = "\n".join(thing("title: str = ''\ncode: int = 1", name=f"Doc{n}").split("\n\n", 1)[1] for n in range(60))
    project.app("shop", {"doctypes/all.py": f"{thing('a: int = 1')}\n\n{body}"})
    run = project.start("sync")
    begun = [project.folder / "site.db", run.folder / "rc"]
    wait_until(lambda: any(file.exists() for file in begun), what="the sync to begin", seen=lambda: run.err, every=0)
    run.kill()
    assert run.wait() == -9
    project.settle()
    project.m("verify", "--strict")


def test_an_enum_gains_a_value(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("kind: Literal['a', 'b'] = 'a'")
    project.m("sync")
    project.insert(kind="a")
    project.things("kind: Literal['a', 'b', 'c'] = 'a'")
    project.settle()
    project.insert(kind="c")


def test_a_damaged_ledger_is_reported_and_mended(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("title: str = ''")
    project.m("sync")
    project.sql("drop table __schema_versions__")
    assert "__schema_versions__" in project.m("sync", code=1).err
    project.m("repair", "--yes")
    project.settle()
