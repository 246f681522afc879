"""examples/framework_m_app from its first day on, and whether it may serve."""

from __future__ import annotations

import asyncio
import shutil
import tomllib

from sqlalchemy.ext.asyncio import create_async_engine

from tests.framework_m.cli.project import ROOT, Project

EXAMPLE = ROOT / "examples" / "framework_m_app"


def install(project: Project) -> None:
    """As pip would: the package, and the entry points of its pyproject.toml."""
    shutil.copytree(EXAMPLE / "library", project.site / "library", ignore=shutil.ignore_patterns("__pycache__"))
    groups = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in names.items()) for group, names in groups.items()]
    project.dist("library", "\n".join(lines) + "\n")


def test_the_example_app(project: Project) -> None:
    install(project)
    assert project.json("status", "--ready", code=3)["ready"] is False
    result = project.json("all")
    assert result["run"]["revisions"] == ["3f1c2a9b7d64"]
    assert {"book", "bookcopy", "loan", "reader", "opening_hours"} <= project.tables()
    assert project.json("status", "--ready")["ready"] is True
    assert project.sql("select count(*) from opening_hours") == [(5,)]

    book = project.site / "library" / "doctypes" / "book.py"
    book.write_text(book.read_text().replace("    price: Decimal", "    pages: int = 1\n    price: Decimal"))
    project.m("all")
    assert "pages" in project.columns("book")
    assert project.plan() == []
    project.m("rollback", "--app", "library")
    assert "opening_hours" not in project.tables()
    project.m("status", "--ready", code=3)


def test_readiness_while_the_next_release_is_rolled_out(on_sqlite: Project) -> None:
    from framework_m_migrations import AsyncMigrationManager, MigrationSettings

    project = on_sqlite
    project.app("shop", {"models.py": MODELS.format(extra="sa.Column('b', sa.Integer)")})
    project.m("all")
    project.app("shop", {"models.py": MODELS.format(extra="")})
    project.m("status", "--ready", code=3)
    project.m("status", "--ready", "--tolerant")
    project.m("status", "--tolerant", code=2)

    async def answers() -> list[bool]:
        import sqlalchemy as sa

        metadata = sa.MetaData()
        sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True))
        engine = create_async_engine(project.url)
        manager = AsyncMigrationManager(MigrationSettings(metadata=(metadata,), apps=()), engine=engine)
        try:
            return [await manager.is_ready(), await manager.is_ready(tolerant=True)]
        finally:
            await engine.dispose()

    assert asyncio.run(answers()) == [False, True]


MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), {extra})
"""
