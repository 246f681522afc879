"""The command line, ``m-migrate``. Importing this module is quick: SQLAlchemy waits until a command needs it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: those after the program's name, ``sys.argv[1:]`` when None.

    Returns:
        The exit code (docs/cli.md): 0 done, 1 failed, 2 usage, 3 dirty, 4 locked by another, 130 interrupted.
    """
    from framework_m_migrations.cli.launch import launch

    return launch(arguments)
