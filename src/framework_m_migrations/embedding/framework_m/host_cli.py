"""The host's command line: puts commands in the place of the host's own ``m migrate``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MARK = "__framework_m_migrations__"
"""Attribute of functions that are ours, by which the self-check knows them."""


def replace_commands(
    commands: Mapping[str, Callable[..., Any]], default: Callable[..., Any], *, summary: str, **options: Any
) -> None:
    """Serve ``m migrate`` with these commands, whichever package registers ``migrate`` first.

    The host registers its App object under the name ``migrate``; the first package to register the name wins, in the
    order in which packages happen to be listed. Its App is therefore changed itself.

    Args:
        commands: name to function.
        default: what ``m migrate`` alone does.
        summary: the group's help.
        **options: for each command's App, as cyclopts takes them.
    """
    from framework_m_standard.cli.migrate import migrate_app

    migrate_app.help = summary
    for order, (name, function) in enumerate(commands.items()):
        if name in migrate_app:
            del migrate_app[name]
        setattr(function, MARK, True)
        migrate_app.command(function, name=name, sort_key=order, **options)
    setattr(default, MARK, True)
    migrate_app.default_command = default
    migrate_app.default_parameter = options.get("default_parameter")


def served_by_us(name: str) -> bool:
    """True when ``m migrate NAME`` runs our function, in the program as it is assembled."""
    from framework_m_core.cli.main import app

    if "migrate" not in app or name not in app["migrate"]:
        return False
    return getattr(app["migrate"][name].default_command, MARK, False) is True
