"""The commands' table: names, order and help."""

from __future__ import annotations

from collections.abc import Callable

from cyclopts import App, Parameter

from framework_m_migrations.cli.commands import declarative, lint, maintenance, versioned

HELP = """Schema migrations on two tracks over one database: sync applies what the models declare, \
run applies the ordered revisions that apps ship. When in doubt: m-migrate all."""

EXIT_CODES = """Exit codes: 0 done; 1 failed; 2 usage; 3 verify found the schema dirty, \
lint found what should not be merged, prove saw a revision fail, or status --ready found it not ready; \
4 another migrator holds the lock; 130 interrupted."""

COMMANDS: tuple[tuple[str, Callable[..., int]], ...] = (
    ("all", declarative.run_all),
    ("sync", declarative.sync),
    ("plan", declarative.plan),
    ("apply", declarative.apply),
    ("verify", declarative.verify),
    ("run", versioned.run),
    ("create", versioned.create),
    ("prove", versioned.prove),
    ("rollback", versioned.rollback),
    ("status", maintenance.status),
    ("doctor", maintenance.doctor),
    ("history", versioned.history),
    ("heads", versioned.heads),
    ("current", versioned.current),
    ("branches", versioned.branches),
    ("graph", versioned.graph),
    ("show", versioned.show),
    ("squash", versioned.squash),
    ("lint", lint.lint),
    ("init", maintenance.init),
    ("stamp", maintenance.stamp),
    ("repair", maintenance.repair),
    ("config", maintenance.config),
    ("explain", maintenance.explain),
    ("completion", maintenance.completion),
)


def version() -> str:
    """The program and its version."""
    from framework_m_migrations import __version__

    return f"m-migrate {__version__}"


def make_app(*, fancy: bool) -> App:
    """The cyclopts application.

    Args:
        fancy: the help goes to a terminal and may have frames and colours.
    """
    app = App(
        name="m-migrate",
        help=HELP,
        help_epilogue=EXIT_CODES,
        help_format="plaintext",
        help_formatter="default" if fancy else "plain",
        version=version,
        version_flags=("--version", "-V"),
        default_parameter=Parameter(negative=(), show_default=False),
        suppress_keyboard_interrupt=False,
    )
    for order, (name, function) in enumerate(COMMANDS):
        app.command(function, name=name, sort_key=order)
    return app
