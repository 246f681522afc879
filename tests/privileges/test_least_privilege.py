"""Issue 6, point 5: the owner of the tables is enough, and a missing right is named before anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager
from framework_m_migrations.adapters.system import ListSink
from framework_m_migrations.domain.errors import InvalidMetadata, MissingPrivilege
from framework_m_migrations.domain.events import LogUnavailable
from tests.privileges.conftest import SECRET, Office

LEDGER = ("__schema_versions__", "__schema_objects__", "__schema_state__")


def wanted(
    *columns: str, tables: tuple[str, ...] = ("item",), index: str | None = None, refers: str = ""
) -> sa.MetaData:
    metadata = sa.MetaData()
    for name in tables:
        sa.Table(
            name,
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            *(sa.Column(column, sa.String(20), index=column == index) for column in columns),
            *([sa.Column("ref", sa.ForeignKey(f"{refers}.id"))] if refers and name != refers else []),
        )
    return metadata


def refusal(office: Office, metadata: sa.MetaData, *, allow_drop: bool = False) -> str:
    """Sync as the weak role; what it says, once it is certain that nothing was changed."""
    before = office.everything()
    with pytest.raises(MissingPrivilege) as caught:
        office.weak(metadata).sync(allow_drop=allow_drop)
    assert office.everything() == before
    assert caught.value.code == "M202"
    assert caught.value.details["missing"]
    assert SECRET not in str(caught.value.to_dict())
    return caught.value.what


def settled(office: Office, metadata: sa.MetaData) -> None:
    """All there, made by the administrator, and handed over with the ledger."""
    office.strong(metadata).sync()
    office.hand_over(*metadata.tables, *LEDGER)


def test_a_role_without_any_right_is_told_what_to_ask_for(office: Office) -> None:
    said = refusal(office, wanted("name"))
    assert f"GRANT CREATE ON SCHEMA public TO {office.role}" in said
    office.admin("GRANT CREATE ON SCHEMA public TO {role}")
    assert office.weak(wanted("name")).sync().applied
    assert office.weak(wanted("name")).plan(force=True).plan.is_empty


def test_without_usage_of_the_schema_that_is_said_too(office: Office) -> None:
    office.admin("REVOKE USAGE ON SCHEMA public FROM PUBLIC, {role}")
    with pytest.raises(MissingPrivilege, match=r"USAGE|schema"):
        office.weak(wanted("name")).sync()
    assert office.everything() == []


def test_the_owner_of_the_tables_needs_no_more_for_columns(office: Office) -> None:
    """Other tables of the schema, which belong to others, are no hindrance."""
    settled(office, wanted("name"))
    office.admin("CREATE TABLE theirs (id int)", "INSERT INTO item VALUES (1, 'kept')")
    more = wanted("name", "note")
    events = ListSink()
    assert MigrationManager(office.settings(more), events=events).sync().steps == 1
    assert office.weak(more).sync().up_to_date
    assert office.rows("SELECT id, name, note FROM item") == [(1, "kept", None)]
    # Neither may it make the log where there is none: it does without.
    office.admin("DROP TABLE __schema_log__")
    assert MigrationManager(office.settings(wanted("name", "note", "more")), events=events).sync().steps == 1
    assert len([event for event in events.events if isinstance(event, LogUnavailable)]) == 2


def test_an_index_needs_the_schema_as_well(office: Office) -> None:
    settled(office, wanted("name"))
    indexed = wanted("name", index="name")
    assert "CREATE" in refusal(office, indexed)
    office.admin("GRANT CREATE ON SCHEMA public TO {role}")
    assert office.weak(indexed).sync().steps == 1


def test_a_foreign_owner_is_named_with_the_table(office: Office) -> None:
    settled(office, wanted("name"))
    office.admin("ALTER TABLE item OWNER TO CURRENT_USER", "GRANT ALL ON item TO {role}")
    said = refusal(office, wanted("name", "note"))
    assert "cannot alter public.item" in said
    assert f"ALTER TABLE public.item OWNER TO {office.role}" in said


def test_membership_in_the_owning_role_is_as_good(office: Office) -> None:
    settled(office, wanted("name"))
    group = f"group_{office.role}"
    office.admin(f"CREATE ROLE {group}", f"ALTER TABLE item OWNER TO {group}", f"GRANT {group} TO {{role}}")
    try:
        assert office.weak(wanted("name", "note")).sync().steps == 1
    finally:
        office.admin(f"DROP OWNED BY {group} CASCADE", f"DROP ROLE {group}")


def test_a_ledger_that_cannot_be_written_is_found_first(office: Office) -> None:
    settled(office, wanted("name"))
    office.admin("ALTER TABLE __schema_state__ OWNER TO CURRENT_USER", "GRANT SELECT ON __schema_state__ TO {role}")
    assert "INSERT" in refusal(office, wanted("name", "note"))


def test_a_foreign_key_needs_references_on_its_target(office: Office) -> None:
    settled(office, wanted("name", tables=("item",)))
    office.admin("GRANT CREATE ON SCHEMA public TO {role}", "CREATE TABLE owner_of (id int PRIMARY KEY)")
    # The target is external: it has the form that is wanted of it, and belongs to somebody else.
    metadata = wanted(tables=("owner_of", "pet"), refers="owner_of")
    said = refusal(office, metadata)
    assert "REFERENCES ON TABLE public.owner_of" in said
    office.admin("GRANT REFERENCES ON owner_of TO {role}")
    office.weak(metadata).sync()
    assert office.rows("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == [(1,)]


def test_all_that_is_missing_is_said_at_once(office: Office) -> None:
    settled(office, wanted("name", tables=("a", "b")))
    office.admin("ALTER TABLE a OWNER TO CURRENT_USER", "ALTER TABLE b OWNER TO CURRENT_USER")
    office.admin("GRANT SELECT ON a, b TO {role}")
    said = refusal(office, wanted("name", "note", tables=("a", "b", "c")))
    assert all(part in said for part in ("public.a", "public.b", "CREATE ON SCHEMA"))


def test_a_drop_that_is_not_allowed_stops_the_whole_sync(office: Office) -> None:
    settled(office, wanted("name", tables=("item", "old")))
    office.admin("ALTER TABLE old OWNER TO CURRENT_USER", "GRANT ALL ON old TO {role}")
    assert "public.old" in refusal(office, wanted("name", "note"), allow_drop=True)


def test_hooks_are_not_called_where_a_right_is_missing(office: Office, tmp_path: Path) -> None:
    package = tmp_path / f"hooked_{office.role}"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    marker = tmp_path / "called"
    text = f"import pathlib\ndef before_sync():\n    pathlib.Path({str(marker)!r}).touch()\n"
    (package / "migrations" / "__init__.py").write_text(text, encoding="utf-8")
    with pytest.raises(MissingPrivilege):
        office.weak(wanted("name"), path=tmp_path, apps=(package.name,)).sync()
    assert not marker.exists()


def test_an_unchanged_schema_asks_nothing_about_rights(office: Office) -> None:
    settled(office, wanted("name"))
    seen: list[str] = []

    def listen(conn: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        office.weak(wanted("name")).sync()
        settled_cost = [text for text in seen if "has_schema_privilege" in text]
        seen.clear()
        office.weak(wanted("name", "note")).sync()
        working_cost = [text for text in seen if "has_schema_privilege" in text]
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listen)
    assert (len(settled_cost), len(working_cost)) == (0, 1)


REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "aa01", None, ("{app}",), None
def upgrade():
    {body}
def downgrade():
    pass
"""


def project(folder: Path, office: Office, body: str) -> str:
    app = f"shop_{office.role}"
    versions = folder / app / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / app / "__init__.py").touch()
    (versions / "aa01.py").write_text(REVISION.format(app=app, body=body), encoding="utf-8")
    return app


def test_revisions_of_a_role_without_ddl_rights_do_not_begin(office: Office, tmp_path: Path) -> None:
    app = project(tmp_path, office, 'op.execute("CREATE TABLE made (id int)")')
    before = office.everything()
    for call in ("run", "all"):
        manager = office.weak(wanted("name"), path=tmp_path, apps=(app,))
        with pytest.raises(MissingPrivilege, match="GRANT CREATE ON SCHEMA public"):
            getattr(manager, call)()
    assert office.everything() == before
    office.admin("GRANT CREATE ON SCHEMA public TO {role}")
    office.weak(wanted("name"), path=tmp_path, apps=(app,)).all()
    assert office.rows("SELECT count(*) FROM pg_tables WHERE tablename IN ('made', 'item')") == [(2,)]


def test_revisions_of_the_owner_of_tables_run_without_create(office: Office, tmp_path: Path) -> None:
    app = project(tmp_path, office, 'op.execute("ALTER TABLE item ADD COLUMN extra int")')
    office.admin("CREATE TABLE item (id int)", "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    office.hand_over("item", "alembic_version")
    assert office.weak(path=tmp_path, apps=(app,)).run().revisions == ("aa01",)


def test_a_revision_may_take_its_rights_by_set_role(office: Office, tmp_path: Path) -> None:
    group = f"group_{office.role}"
    app = project(tmp_path, office, f'op.execute("SET ROLE {group}"); op.execute("CREATE TABLE made (id int)")')
    office.admin(
        f"CREATE ROLE {group}",
        f"GRANT CREATE ON SCHEMA public TO {group}",
        "ALTER ROLE {role} NOINHERIT",  # before PostgreSQL 16 no single grant can say it
        f"GRANT {group} TO {{role}}",
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        f"GRANT ALL ON alembic_version TO {group}, {{role}}",
    )
    try:
        office.weak(path=tmp_path, apps=(app,)).run()
        assert office.rows("SELECT tableowner FROM pg_tables WHERE tablename = 'made'") == [(group,)]
    finally:
        office.admin(f"DROP OWNED BY {group} CASCADE", f"DROP ROLE {group}")


def test_a_version_table_that_cannot_be_written_is_found_first(office: Office, tmp_path: Path) -> None:
    app = project(tmp_path, office, 'op.execute("CREATE TABLE made (id int)")')
    office.admin(
        "GRANT CREATE ON SCHEMA public TO {role}",
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "GRANT SELECT ON alembic_version TO {role}",
    )
    with pytest.raises(MissingPrivilege, match=r"TABLE public\.alembic_version"):
        office.weak(path=tmp_path, apps=(app,)).run()
    assert office.rows("SELECT count(*) FROM pg_tables WHERE tablename = 'made'") == [(0,)]


def test_all_is_refused_before_the_revisions_where_the_sync_half_lacks_a_right(office: Office, tmp_path: Path) -> None:
    """Revisions that stand, and a sync that may not follow, would leave the database between two versions."""
    settled(office, wanted("name", tables=("item", "other")))
    office.admin("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    office.hand_over("alembic_version")
    app = project(tmp_path, office, 'op.execute("ALTER TABLE item ADD COLUMN extra int")')
    office.admin("ALTER TABLE other OWNER TO CURRENT_USER", "GRANT ALL ON other TO {role}")
    more = wanted("name", "note", tables=("item", "other", "third"))
    before = office.everything()
    with pytest.raises(MissingPrivilege) as caught:
        office.weak(more, path=tmp_path, apps=(app,)).all()
    assert office.everything() == before
    assert all(part in caught.value.what for part in ("public.other", "GRANT CREATE ON SCHEMA public"))
    assert "m-migrate run" in caught.value.next_step
    office.admin("GRANT CREATE ON SCHEMA public TO {role}")
    office.hand_over("other")
    assert office.weak(more, path=tmp_path, apps=(app,)).all().run.revisions == ("aa01",)
    assert office.rows("SELECT count(*) FROM pg_tables WHERE tablename = 'third'") == [(1,)]


def test_all_is_refused_before_the_revisions_where_the_ledger_cannot_be_written(office: Office, tmp_path: Path) -> None:
    """Even where sync has nothing to do before them: what they change is written down afterwards."""
    settled(office, wanted("name"))
    office.admin("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    office.hand_over("alembic_version")
    app = project(tmp_path, office, 'op.execute("ALTER TABLE item ADD COLUMN extra int")')
    office.admin("ALTER TABLE __schema_state__ OWNER TO CURRENT_USER", "GRANT SELECT ON __schema_state__ TO {role}")
    before = office.everything()
    with pytest.raises(MissingPrivilege, match=r"__schema_state__"):
        office.weak(wanted("name"), path=tmp_path, apps=(app,)).all()
    assert office.everything() == before


def test_what_a_revision_brings_may_be_missing_before_it(office: Office, tmp_path: Path) -> None:
    """A schema that the DocTypes name and a revision makes: the look ahead stops nothing then."""
    app = project(tmp_path, office, 'op.execute("CREATE SCHEMA sales")')
    office.admin(
        "GRANT CREATE ON SCHEMA public TO {role}", f"GRANT CREATE ON DATABASE {office.database.name} TO {{role}}"
    )
    metadata = sa.MetaData(schema="sales")
    sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True))
    office.weak(metadata, path=tmp_path, apps=(app,)).all()
    assert office.rows("SELECT schemaname FROM pg_tables WHERE tablename = 'item'") == [("sales",)]


def test_broken_metadata_is_told_before_the_revisions(office: Office, tmp_path: Path) -> None:
    app = project(tmp_path, office, 'op.execute("CREATE TABLE made (id int)")')
    office.admin("GRANT CREATE ON SCHEMA public TO {role}")
    metadata = sa.MetaData()
    sa.Table("__schema_state__", metadata, sa.Column("id", sa.Integer, primary_key=True))
    with pytest.raises(InvalidMetadata):
        office.weak(metadata, path=tmp_path, apps=(app,)).all()
    assert office.everything() == []
