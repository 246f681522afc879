"""The rows of test_declarative.py and others, at once and on PostgreSQL: what another database does is no proof."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.framework_m.cli.project import Project, thing

BEFORE = """
title: str = Field(default='', max_length=20)
code: str = ''
word: str = 'old'
kind: Literal['a', 'b'] = 'a'
loose: int = 1
to_text: int = 0
to_int: str = ''
to_float: int = 0
to_bool: int = 0
to_link: str = 'x'
shrunk: str = Field(default='', max_length=20)
required: str | None = None
gone: str = ''
"""
AFTER = """
title: str = Field(default='', max_length=40)
code: str = Field(default='', json_schema_extra={'unique': True})
word: str = 'new'
kind: Literal['a', 'b', 'c'] = 'a'
loose: int | None = 1
to_text: str = ''
to_int: int = 0
to_float: float = 0.0
to_bool: bool = False
to_link: UUID | None = Field(default=None, json_schema_extra={'link': 'Thing'})
shrunk: str = Field(default='', max_length=2)
required: str
order: str = 'a'
group: int = 1
firstName: str = 'Ann'
quote: str = "it's"
colon: str = ':x'
day: date = date(2024, 2, 29)
credit: Decimal = Decimal('1.5')
data: dict[str, Any] = Field(default_factory=dict)
missing: str
"""
ROW = {"title": "t", "code": "c", "to_int": "x", "to_link": "x", "shrunk": "long one", "gone": "kept", "loose": 5}
STAY = ("to_text", "to_int", "to_float", "to_bool", "to_link", "shrunk", "required", "missing", "gone")


def test_every_kind_of_change_at_once(on_postgres: Project) -> None:
    project = on_postgres
    project.things(BEFORE)
    project.m("sync")
    project.insert(**ROW)
    project.things(AFTER, meta="indexes = [{'fields': ['title']}]")
    made = project.json("sync")["plan"]["changes"]
    withheld = " ".join(change["what"] for change in made if change["withheld"])
    for column in STAY:
        assert column in withheld, column
    assert len(project.plan()) == len([change for change in made if change["withheld"]])

    columns = project.columns()
    assert columns["title"]["type"].length == 40
    assert columns["shrunk"]["type"].length == 20
    assert isinstance(columns["to_text"]["type"], sa.Integer)
    assert columns["loose"]["nullable"] or "loose" in withheld
    assert "missing" not in columns
    assert "new" in columns["word"]["default"]
    inspector = sa.inspect(project.plain)
    assert ["title"] in [index["column_names"] for index in inspector.get_indexes("thing")]
    assert ["code"] in [unique["column_names"] for unique in inspector.get_unique_constraints("thing")] + [
        index["column_names"] for index in inspector.get_indexes("thing") if index["unique"]
    ]
    ((*kept,),) = project.sql("select title, code, to_int, to_link, shrunk, gone, loose from thing")
    assert kept == list(ROW.values())
    ((*filled,),) = project.sql(
        'select "order", "group", "firstName", quote, colon, day::text, credit::text, data::text from thing'
    )
    assert filled[:6] == ["a", 1, "Ann", "it's", ":x", "2024-02-29"]
    assert (float(filled[6]), filled[7]) == (1.5, "{}")
    assert project.withheld() == [change["rule"] for change in made if change["withheld"]]
    project.m("verify", code=3)


def test_what_was_changed_by_hand_is_noticed_and_only_ours_is_dropped(on_postgres: Project) -> None:
    project = on_postgres
    project.app(
        "shop",
        {
            "doctypes/thing.py": thing("title: str = ''\nextra: int | None = None\nold: int = 1"),
            "doctypes/gone.py": thing("a: int = 1", name="Gone"),
        },
    )
    project.sql("create table strange (id integer)")
    project.m("sync")
    assert "strange" in project.m("verify", code=3).out
    project.sql("alter table thing drop column extra")
    project.sql("alter table thing add column foreign_one integer")
    project.m("sync")
    assert "extra" in project.columns()
    project.sql("drop table thing")
    assert "thing" in project.m("verify", "--strict", code=3).out
    project.m("sync")
    project.sql("alter table thing add column foreign_one integer")
    (project.site / "shop" / "doctypes" / "gone.py").write_text("")
    project.things("title: str = ''\nextra: int | None = None")
    assert project.withheld()
    assert "gone" in project.tables()
    assert "gone" in project.m("sync", "--allow-drop", "--yes").out
    assert "gone" not in project.tables()
    assert "old" not in project.columns()
    assert "foreign_one" in project.columns()
    assert "strange" in project.tables()


@pytest.mark.parametrize("environment", ["reads the option", "has its own", "has its own, unasked"])
def test_a_version_table_and_a_project_with_its_own_environment(on_postgres: Project, environment: str) -> None:
    from tests.framework_m.cli.test_versioned import _revision

    project = on_postgres
    project.app(
        "shop",
        {"doctypes/thing.py": thing("title: str = ''"), "migrations/versions/a.py": _revision("aaaa", None, "one")},
    )
    project.m("init")
    file = project.home / "alembic" / "env.py"
    name = 'config.get_main_option("version_table", "mine")' if environment == "reads the option" else '"mine"'
    file.write_text(ENVIRONMENT.format(name=name))
    ini = project.home / "alembic.ini"
    ini.write_text("\n".join(line for line in ini.read_text().splitlines() if not line.startswith("version_table")))
    if environment == "has its own":
        assert "mine" in project.m("run", "--version-table", "other", code=1).err
        assert "one" not in project.tables()
        return
    arguments = ("--version-table", "other") if environment == "reads the option" else ()
    project.m("all", *arguments)
    table = "other" if arguments else "mine"
    assert project.sql(f"select version_num from {table}") == [("aaaa",)]
    assert {"alembic_version", "mine", "other"} & project.tables() == {table}
    project.m("verify", *arguments, code=3)
    project.sql("drop table one")
    project.m("verify", *arguments)
    project.m("rollback", *arguments, code=1)


ENVIRONMENT = """
from alembic import context
config = context.config
context.configure(connection=config.attributes["connection"], version_table={name})
with context.begin_transaction():
    context.run_migrations()
"""
