"""Which DocType a table of a MetaData belongs to, where the host made the MetaData and does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m_migrations.adapters.doctypes.metadata import DOCTYPE_KEY

if TYPE_CHECKING:
    import sqlalchemy as sa


def name_doctypes(metadata: sa.MetaData) -> None:
    """Note in each table's ``info`` the registered DocType that it is the table of.

    The ledger then knows it by the name that the commands and the boot use, rather than by the table's.

    Args:
        metadata: of the host's making; tables that say whose they are, and those of no DocType, are left as they are.
    """
    from framework_m_core.registry import MetaRegistry

    registry = MetaRegistry.get_instance()
    names: dict[str, str] = {}
    for name in registry.list_doctypes():
        meta = registry.get_doctype(name)._meta_config  # noqa: SLF001 - the host gives no other way
        if meta.create_schema:
            names.setdefault(meta.table_name or name.lower(), name)
    for table in metadata.tables.values():
        if table.name in names:
            table.info.setdefault(DOCTYPE_KEY, names[table.name])
