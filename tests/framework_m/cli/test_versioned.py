"""What Framework M's present engine gets wrong in ``m migrate create``, ``run`` and ``rollback``, done right."""

from __future__ import annotations

import re

import sqlalchemy as sa

from tests.framework_m.cli.project import Project, thing

REVISION = '''
"""{message}"""
from alembic import op
import sqlalchemy as sa

revision = "{id}"
down_revision = {down}
branch_labels = {labels}
depends_on = None


def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("{table}")
'''


def test_a_revision_never_drops_what_has_no_doctype(project: Project) -> None:
    project.things("title: str = ''")
    project.m("sync")
    project.sql("create table strange (id integer)")
    project.things("title: str = ''\ncode: str")
    project.insert(title="a")
    project.m("create", "a code", "--app", "shop")
    (file,) = project.revisions()
    text = file.read_text()
    assert "code" in text
    assert "strange" not in text
    assert "__schema_versions__" not in text
    upgrade, downgrade = text.split("def downgrade")
    assert "drop_table" not in upgrade
    assert "drop_column" in downgrade
    project.sql("delete from thing")
    project.m("run")
    assert {"strange", "__schema_versions__"} <= project.tables()


def test_rows_get_a_value_before_not_null(project: Project) -> None:
    project.things("title: str = ''")
    project.m("sync")
    project.insert(title="a")
    project.things(
        "title: str = ''\ncredit: Decimal = Decimal('1.5')\ndata: dict[str, Any] = Field(default_factory=dict)"
    )
    project.m("create", "credit", "--app", "shop")
    project.m("run")
    ((credit, data),) = project.sql("select credit, data from thing")
    assert (float(credit), str(data)) == (1.5, "{}")
    project.m("sync")
    assert project.plan() == []


def test_a_declared_rename_keeps_the_data_and_can_be_taken_back(project: Project) -> None:
    project.things("title: str = ''")
    project.m("sync")
    project.insert(title="kept")
    project.things("label: str = Field(default='', json_schema_extra={'renamed_from': 'title'})")
    assert project.withheld() == ["column-renamed"]
    project.m("create", "rename", "--app", "shop")
    project.m("run")
    assert project.sql("select label from thing") == [("kept",)]
    project.m("rollback")
    assert project.sql("select title from thing") == [("kept",)]


def test_tables_in_order_of_dependency_named_and_taken_back(project: Project) -> None:
    link = "parent_ref: UUID | None = Field(default=None, json_schema_extra={{'link': '{}'}})"
    unique = "code: str = Field(default='', json_schema_extra={'unique': True})"
    project.app(
        "shop",
        {
            "doctypes/a.py": thing(f"{link.format('Middle')}\n{unique}", name="Aardvark"),
            "doctypes/b.py": thing(link.format("Zebra"), name="Middle"),
            "doctypes/c.py": thing(unique, name="Zebra"),
        },
    )
    project.m("create", "all", "--app", "shop")
    (file,) = project.revisions()
    text = file.read_text()
    assert not re.search(
        r"(ForeignKeyConstraint|UniqueConstraint)\((?!.*name=)[^()]*\)\s*,?\n", text.replace("\n    ", " ")
    )
    project.m("run")
    assert {"aardvark", "middle", "zebra"} <= project.tables()
    assert [change for change in project.plan() if change[1] in {"aardvark", "middle", "zebra"}] == []
    project.m("rollback")
    assert not {"aardvark", "middle", "zebra"} & project.tables()
    status = project.json("status")
    assert [app["pending"] for app in status["apps"] if app["app"] == "shop"] == [[file.name.split("_")[0]]]
    project.m("run")
    assert {"aardvark", "middle", "zebra"} <= project.tables()


def test_rollback_in_worker_mode(on_sqlite: Project) -> None:
    project = on_sqlite
    project.app("shop", {"migrations/versions/a.py": _revision("aaaa", None, "one")})
    project.env["FRAMEWORK_M_RUNTIME_MODE"] = "SYNC_WORKER"
    project.m("run")
    assert "one" in project.tables()
    project.m("rollback")
    assert "one" not in project.tables()


def test_revision_ids_are_distinct(on_sqlite: Project) -> None:
    project = on_sqlite
    made = []
    for name in ("shop", "mall"):
        project.app(name, {"migrations/versions/__init__.py": ""})
    for app in ("shop", "mall"):
        made.append(project.json("create", "empty", "--app", app, "--no-autogenerate")["revision"])
        made.append(project.json("create", "empty", "--app", app, "--no-autogenerate")["revision"])
    assert len(set(made)) == 4
    project.m("run")
    # Different changes of one kind, with one message.
    project.app("shop", {"doctypes/thing.py": thing("a: int = 1")})
    project.app("mall", {"doctypes/other.py": thing("b: int = 1", name="Other")})
    made += [project.json("create", "change", "--app", app)["revision"] for app in ("shop", "mall")]
    project.m("run")
    project.app("shop", {"doctypes/thing.py": thing("a: int = 1\nc: int | None = None")})
    project.app("mall", {"doctypes/other.py": thing("b: int = 1\nd: int | None = None", name="Other")})
    made += [project.json("create", "change", "--app", app)["revision"] for app in ("shop", "mall")]
    assert len(set(made)) == 8
    project.m("run")
    assert "c" in project.columns()
    assert "d" in project.columns("other")


def test_an_app_beside_others_with_revisions_elsewhere(on_sqlite: Project) -> None:
    project = on_sqlite
    project.app("base", {"alembic/versions/a.py": _revision("aaaa", None, "one", labels="('base',)")})
    project.things("title: str = ''")
    project.m("run")
    project.m("create", "first", "--app", "shop")
    project.m("run")
    assert "thing" in project.tables()


def test_a_percent_sign_in_the_password_is_kept_and_never_written(on_postgres: Project) -> None:
    project = on_postgres
    url = sa.make_url(project.url)
    name = f"percent_{url.database}"
    project.sql(f"create role \"{name}\" superuser login password 'a@b%c'")
    try:
        changed = url.set(username=name, password="a@b%c")
        project.url = changed.render_as_string(hide_password=False)
        assert "%40" in project.url
        project.things("title: str = ''")
        run = project.m("init")
        for _ in range(2):
            run = project.m("all")
            assert "a@b" not in run.out + run.err
        assert "%40" not in (project.home / "alembic.ini").read_text()
        assert "thing" in project.tables()
    finally:
        project.sql(f'reassign owned by "{name}" to current_user')
        project.sql(f'drop owned by "{name}"')
        project.sql(f'drop role "{name}"')


def test_verify_fails_for_unmanaged_tables_and_pending_revisions(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("title: str = ''")
    project.m("sync")
    project.m("verify")
    project.sql("create table strange (id integer)")
    assert "strange" in project.m("verify", code=3).out
    project.sql("drop table strange")
    project.app(
        "shop",
        {"doctypes/thing.py": thing("title: str = ''"), "migrations/versions/a.py": _revision("aaaa", None, "one")},
    )
    assert "aaaa" in project.m("verify", code=3).out


def _revision(name: str, down: str | None, table: str, labels: str = "('shop',)") -> str:
    return REVISION.format(message=table, id=name, down=repr(down), labels=labels, table=table)
