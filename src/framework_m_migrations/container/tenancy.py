"""Which DocTypes a session keeps: those that all tenants share, or those that each tenant has tables of its own for.

``Table.info["tenant"]`` says which a table is. Framework M's DocTypes always have it; on plain models it is set by
hand. Where no table has it at all, each tenant has them all, and so has a database without tenants.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from framework_m_migrations.container.context import Context, Factory
from framework_m_migrations.domain.errors import UnsupportedDatabase

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables
    from framework_m_migrations.ports.schema_source import SchemaSource


def has_tenant_schemas(dialect: str) -> bool:
    """True where a tenant is a schema: on PostgreSQL. What MariaDB calls a schema is a whole database.

    Args:
        dialect: SQLAlchemy's name of it.
    """
    from framework_m_migrations.container.factories import sql_dialect

    found = sql_dialect(dialect)
    return found is not None and found.tenant_schemas


def kept(doctypes: Sequence[DocTypeTables], context: Context) -> list[DocTypeTables]:
    """The DocTypes that belong into the session's schema.

    A database without schemas for tenants is one tenant's, or nobody's in particular, and has them all.

    Args:
        doctypes: all that are declared.
        context: of the session: its settings say whether the schema is a tenant's.

    Raises:
        UnsupportedDatabase: it is to be a tenant's, and the database has no schemas.
    """
    if not has_tenant_schemas(context.sql.name):
        if context.settings.tenant:
            raise UnsupportedDatabase(
                "Tenants are kept in schemas, which this database does not have.",
                next_step="Use PostgreSQL; on SQLite give each tenant a database of its own.",
            )
        return list(doctypes)
    if not context.settings.tenant:
        return [doctype for doctype in doctypes if not is_tenants(doctype)]
    from framework_m_migrations.adapters.doctypes.metadata import TENANT_KEY

    if any(TENANT_KEY in table.info for doctype in doctypes for table in doctype.tables):
        return _standing_alone([doctype for doctype in doctypes if is_tenants(doctype)])
    return list(doctypes)


def passed_on(source: SchemaSource) -> dict[str, Factory]:
    """Overrides by which sessions of other schemas use a source that is loaded already; none where it cannot be.

    Args:
        source: of any session of the same database.
    """
    from framework_m_migrations.adapters.doctypes.metadata import MetadataSource
    from framework_m_migrations.adapters.sql.desired.tables import Target

    if not isinstance(source, MetadataSource):
        return {}

    def make(context: Context) -> MetadataSource:
        return source.aimed_at(Target.of(context.live.dialect, context.sql, schema=context.settings.schema))

    return {"source": make}


def is_tenants(doctype: DocTypeTables) -> bool:
    """True when each tenant has tables of its own for it."""
    from framework_m_migrations.adapters.doctypes.metadata import TENANT_KEY

    return bool(doctype.tables and doctype.tables[0].info.get(TENANT_KEY))


def _standing_alone(doctypes: Sequence[DocTypeTables]) -> list[DocTypeTables]:
    """The DocTypes without foreign keys to tables that are shared, as Framework M has it: each schema stands alone.

    A key to a table whose schema is spelled out stays. The tables are copies, for those given may be somebody's models.
    """
    import sqlalchemy as sa

    own = {table.key for doctype in doctypes for table in doctype.tables}
    copies: dict[int, sa.MetaData] = {}
    found = []
    for doctype in doctypes:
        tables = []
        for table in doctype.tables:
            convention = table.metadata.naming_convention
            copied = table.to_metadata(copies.setdefault(id(table.metadata), sa.MetaData(naming_convention=convention)))
            copied.info.update(table.info)
            _drop_foreign_keys(copied, own)
            tables.append(copied)
        found.append(replace(doctype, tables=tuple(tables)))
    return found


def _drop_foreign_keys(table: sa.Table, own: Container[str]) -> None:
    from framework_m_migrations.adapters.sql.sqlalchemy_versions import tokens

    for key in list(table.foreign_key_constraints):
        schema, name, _ = tokens(key.elements[0])
        if schema is not None or name in own:
            continue
        table.constraints.discard(key)
        for element in key.elements:
            element.parent.foreign_keys.discard(element)
            table.foreign_keys.discard(element)
