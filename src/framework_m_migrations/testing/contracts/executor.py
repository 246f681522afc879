"""What every executor must do."""

from __future__ import annotations

from framework_m_migrations.testing.contracts.executor_changes import ExecutorChangesContract
from framework_m_migrations.testing.contracts.executor_columns import ExecutorColumnsContract
from framework_m_migrations.testing.contracts.executor_tables import ExecutorTablesContract


class ExecutorContract(ExecutorTablesContract, ExecutorColumnsContract, ExecutorChangesContract):
    """All obligations of ports.executor.Executor."""
