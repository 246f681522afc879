"""What is not ours is left alone by every command, in whatever way it is named."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.exclusion import PRESETS, Exclusion
from framework_m_migrations.domain.schema import TableName
from tests.sync.conftest import Site


def ours(*, other: bool = False, **info: Any) -> sa.MetaData:
    """A table of ours with a foreign key to one of another tool's; ``other`` declares that one too."""
    metadata = sa.MetaData()
    sa.Table("celery_taskmeta", metadata, sa.Column("id", sa.Integer, primary_key=True), info=info)
    sa.Table(
        "job",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task", sa.Integer, sa.ForeignKey("celery_taskmeta.id", name="fk_task")),
        sa.Column("a", sa.Integer),
    )
    if other:
        sa.Table("spatial_ref_sys", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("x", sa.Integer))
    return metadata


def include_object(object: Any, name: str, type_: str, reflected: bool, compare_to: Any) -> bool:  # noqa: A002 - Alembic's
    del reflected, compare_to
    if type_ == "index":
        return not name.startswith("ix_legacy")
    owner = object if type_ == "table" else object.table
    return not str(owner.name).startswith(("celery_", "spatial_"))


def manager(site: Site, metadata: sa.MetaData, **settings: Any) -> MigrationManager:
    return site.manager(metadata, **settings)


@pytest.mark.parametrize(
    ("info", "settings"),
    [
        ({}, {"exclude": ("celery_*", "spatial_ref_sys", "index:ix_legacy_*")}),
        ({}, {"exclude": ("@celery", "@postgis", "index:ix_legacy_*")}),
        ({}, {"include_object": include_object}),
        ({}, {"include_object": f"{__name__}:include_object"}),
        ({"managed": False}, {"exclude": ("spatial_ref_sys", "index:ix_legacy_*")}),
        ({"is_view": True}, {"exclude": ("spatial_ref_sys", "index:ix_legacy_*")}),
    ],
)
def test_no_command_looks_at_it(site: Site, info: dict[str, Any], settings: dict[str, Any]) -> None:
    site.execute(
        "CREATE TABLE celery_taskmeta (id integer PRIMARY KEY, own text)",
        "CREATE TABLE spatial_ref_sys (srid integer PRIMARY KEY)",
    )
    one = manager(site, ours(**info), **settings)
    assert not one.sync().withheld
    site.execute("CREATE INDEX ix_legacy_a ON job (a)")
    assert manager(site, ours(**info)).plan(force=True).plan.unmanaged or info
    found = manager(site, ours(**info), **settings)
    looked = found.plan(force=True).plan
    assert (looked.changes, looked.unmanaged) == ((), ())
    # The foreign key to a table that is left alone is ours all the same.
    assert [key["referred_table"] for key in site.inspect().get_foreign_keys("job")] == ["celery_taskmeta"]
    assert [one["name"] for one in site.inspect().get_columns("celery_taskmeta")] == ["id", "own"]


def test_what_was_ours_once_is_never_dropped(site: Site) -> None:
    everything = ours(other=True)
    site.settle(everything)
    rest = ours()
    excluding = manager(site, rest, exclude=("spatial_ref_sys",))
    assert not excluding.sync(allow_drop=True).dropped
    assert "spatial_ref_sys" in site.inspect().get_table_names()
    assert excluding.plan(force=True).plan.unmanaged == ()
    # Without the pattern it is ours again.
    assert [change["kind"] for change in site.plan(rest).to_dict()["changes"]] == ["TableRemoved"]


def test_an_index_that_the_model_wants_is_left_out_and_comes_back(site: Site) -> None:
    metadata = ours()
    sa.Index("ix_legacy_a", metadata.tables["job"].c.a)
    manager(site, metadata, exclude=("index:ix_legacy_*",)).sync()
    assert site.inspect().get_indexes("job") == []
    site.settle(metadata)
    assert [index["name"] for index in site.inspect().get_indexes("job")] == ["ix_legacy_a"]


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        (("audit.*",), TableName("log", "audit"), True),
        (("audit.*",), TableName("log"), False),
        (("schema:au*",), TableName("log", "audit"), True),
        (("schema:*",), TableName("log"), False),
        (("table:l?g",), TableName("log"), True),
        (("index:log",), TableName("log"), False),
        (("@timescaledb",), TableName("chunk", "_timescaledb_internal"), True),
    ],
)
def test_patterns(patterns: tuple[str, ...], name: TableName, expected: bool) -> None:
    assert Exclusion.of(patterns).excludes(name) is expected


@pytest.mark.parametrize("pattern", ["tabel:x", "index:", "", "@django"])
def test_what_is_no_pattern_is_an_error(pattern: str) -> None:
    with pytest.raises(ConfigurationError):
        Exclusion.of((pattern,))


def test_the_documented_lists_are_the_ones_there_are() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "exclude.md").read_text(encoding="utf-8")
    for name, patterns in PRESETS.items():
        assert f"`@{name}`" in text
        assert all(f"`{pattern}`" in text for pattern in patterns)
