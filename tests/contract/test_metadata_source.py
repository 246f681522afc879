"""SQLAlchemy MetaData as a schema source holds the contract, for each dialect."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.doctypes.metadata import MetadataSource, doctypes_of, source_from_tables
from framework_m_migrations.container.factories import sql_dialect
from framework_m_migrations.testing import SchemaSourceContract

TASK, NOTE, USER = "tab_task", "tab_note", "tab_user"


class MetadataSources:
    def __init__(self, dialect: sa.Dialect) -> None:
        self.dialect = dialect

    def _source(self, names: Sequence[str], *, length: int = 140, twin: bool = False) -> MetadataSource:
        metadata = sa.MetaData()
        for name in names:
            sa.Table(
                name,
                metadata,
                sa.Column("id", sa.Uuid, primary_key=True),
                sa.Column("title", sa.String(length if name == NOTE else 140), nullable=False, server_default="it's"),
                sa.Column("amount", sa.Numeric(12, 2), sa.CheckConstraint("amount > 0", name=f"ck_{name}")),
                sa.Column("state", sa.Enum("open", "done", name="state")),
                sa.Column("owner", sa.Uuid, sa.ForeignKey(f"{USER}.id", ondelete="CASCADE"), index=True),
            )
        services = sql_dialect(self.dialect.name)
        assert services is not None
        tables = doctypes_of(metadata)
        return source_from_tables((*tables, *doctypes_of(metadata)) if twin else tables, self.dialect, services)

    def plain(self) -> MetadataSource:
        return self._source([TASK, NOTE, USER])

    def reordered(self) -> MetadataSource:
        return self._source([USER, TASK, NOTE])

    def changed(self) -> MetadataSource:
        return self._source([TASK, NOTE, USER], length=200)

    def contradictory(self) -> MetadataSource:
        return self._source([TASK, NOTE, USER], twin=True)

    def broken(self) -> None:
        return None


class Sqlite:
    adapter = "metadata, sqlite"

    @pytest.fixture
    def sources(self) -> MetadataSources:
        return MetadataSources(sa.create_engine("sqlite://").dialect)


class Postgresql:
    adapter = "metadata, postgresql"

    @pytest.fixture
    def sources(self) -> MetadataSources:
        return MetadataSources(sa.create_engine("postgresql+psycopg://").dialect)


class TestSqlite(Sqlite, SchemaSourceContract): ...


class TestPostgresql(Postgresql, SchemaSourceContract): ...
