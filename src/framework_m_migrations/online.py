"""Helpers for hand-written revisions that change a PostgreSQL which is in use.

They are called in ``upgrade()`` and ``downgrade()``, next to ``op``, under m-migrate and under plain Alembic alike:

    from framework_m_migrations import online

    def upgrade() -> None:
        online.create_index_concurrently("ix_order_customer", "order", ["customer"])

On PostgreSQL each leaves the revision's transaction: **what the revision did before is committed**, each statement
then stands for itself, and the transaction begins anew afterwards. A failure half way therefore leaves what came
before. Each helper finds what is done already and goes on from there, so a revision that consists of helpers can simply
be run again. Locks that stop others are waited for briefly (0.5 s) and tried again, up to thirty times; what takes long
stops nobody.

On other databases the machinery is inert: the same change is made in its plain form, inside the revision's
transaction. Offline (``alembic upgrade --sql``) the statements are printed.
"""

from __future__ import annotations

from framework_m_migrations.adapters.sql.dialects.postgresql.online.backfill import backfill
from framework_m_migrations.adapters.sql.dialects.postgresql.online.columns import (
    add_enum_value,
    drop_not_null,
    execute,
    set_enum_values,
    set_not_null,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.online.constraints import (
    add_check,
    add_foreign_key,
    add_unique,
    create_index_concurrently,
    drop_constraint,
    drop_index_concurrently,
    validate_constraint,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.online.conversion import (
    analyze,
    exists,
    finish_conversion,
    give_names_back,
    require_unswappable,
    restore_conversion,
    start_conversion,
    swap_conversion,
    take_names,
    unswap_conversion,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.online.renames import (
    finish_rename,
    finish_table_rename,
    restore_table_rename,
    start_rename,
    start_table_rename,
    undo_rename,
    undo_table_rename,
)

__all__ = [
    "add_check",
    "add_enum_value",
    "add_foreign_key",
    "add_unique",
    "analyze",
    "backfill",
    "create_index_concurrently",
    "drop_constraint",
    "drop_index_concurrently",
    "drop_not_null",
    "execute",
    "exists",
    "finish_conversion",
    "finish_rename",
    "finish_table_rename",
    "give_names_back",
    "require_unswappable",
    "restore_conversion",
    "restore_table_rename",
    "set_enum_values",
    "set_not_null",
    "start_conversion",
    "start_rename",
    "start_table_rename",
    "swap_conversion",
    "take_names",
    "undo_rename",
    "undo_table_rename",
    "unswap_conversion",
    "validate_constraint",
]
