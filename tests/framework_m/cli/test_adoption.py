"""A database and a project that the host's present engine made are taken over as they are."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import sqlalchemy as sa

from scripts.waiting import PROGRAM_LIMIT
from tests.framework_m.cli.project import Project, thing
from tests.framework_m.cli.test_versioned import _revision


def made_by_the_host(project: Project, schema: str | None = None) -> None:
    """The host's own manager, called as its ``m migrate init``, ``run`` and ``sync [--tenant]`` call it."""
    script = f"""
        import sqlalchemy as sa
        from framework_m_core.registry import MetaRegistry
        from framework_m_standard.adapters.db.migration import MigrationManager
        from framework_m_standard.adapters.db.schema_mapper import SchemaMapper
        registry, metadata = MetaRegistry.get_instance(), sa.MetaData(schema={schema!r})
        registry.load_apps(["framework_m_core", "shop"])
        for name in registry.list_doctypes():
            model = registry.get_doctype(name)
            meta = model._meta_config
            if meta.create_schema and getattr(meta, "is_tenant_specific", False) == {schema is not None}:
                SchemaMapper().create_tables(model, metadata)
        manager = MigrationManager({str(project.home)!r}, {project.url!r})
        manager.init()
        manager.upgrade("head")
        engine = sa.create_engine({project.plain_url!r})
        manager.auto_migrate(metadata, dev_mode=True, engine=engine, allow_dangerous=True)
    """
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", dedent(script)],
        cwd=project.home, check=False, capture_output=True, text=True, timeout=PROGRAM_LIMIT,
        env={**project.environment(), "PYTHONPATH": str(project.site)},
    )  # fmt: skip
    assert ended.returncode == 0, f"the host ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"


def test_a_database_of_the_host_is_adopted(project: Project) -> None:
    revision = _revision("aaaa", None, "one")
    project.app("shop", {"doctypes/thing.py": thing("title: str = ''"), "migrations/versions/a.py": revision})
    made_by_the_host(project)
    project.insert(title="kept")
    ledger = dict(project.sql("select doctype_name, checksum from __schema_versions__"))
    assert "thing" in ledger
    environment = (project.home / "alembic" / "env.py").read_text()

    result = project.json("all", "--apps", "shop")
    assert result["run"]["revisions"] == []
    assert [c for c in result["sync"]["plan"]["changes"] if c["table"] == "thing"] == []
    assert project.sql("select title from thing") == [("kept",)]
    adopted = dict(project.sql("select doctype_name, checksum from __schema_versions__"))
    assert "Thing" in adopted
    assert adopted["Thing"] != ledger["thing"]
    assert {"title", "id"} <= {column["name"] for column in sa.inspect(project.plain).get_columns("thing")}

    later = _revision("bbbb", "aaaa", "two", labels="None")
    project.app("shop", {"migrations/versions/b.py": later})
    project.m("run", "-x", "tenant=acme")
    assert "two" in project.tables()
    assert project.sql("select version_num from alembic_version") == [("bbbb",)]
    assert (project.home / "alembic" / "env.py").read_text() == environment
    project.m("rollback")
    assert "two" not in project.tables()
    assert project.json("status")["ready"] is False
