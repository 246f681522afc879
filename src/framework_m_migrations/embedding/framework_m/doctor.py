"""Self-check: is it this engine that serves the host? The host passes over a broken plug-in without a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint

from framework_m_migrations.adapters.installed import entry_points_of
from framework_m_migrations.domain.results import Check
from framework_m_migrations.embedding.framework_m.host_cli import served_by_us
from framework_m_migrations.embedding.framework_m.wiring import OWN_PACKAGE

CHECKED_GROUPS = (
    "framework_m.overrides",
    "framework_m_core.cli_commands",
    "framework_m.bootstrap",
    "framework_m.readiness",
    "framework_m.apps",
)
PROVIDERS = frozenset(
    {"migration_manager", "schema_mapper", "schema_detector", "declarative_sync_engine", "connection_factory"}
)
"""The host's providers on which migrations depend."""


def examine(commands: Iterable[str]) -> tuple[Check, ...]:
    """All checks; none of them opens the database.

    Args:
        commands: names that ``m migrate`` must serve by us.
    """
    checks = [_plugins(), _guarded("migration manager", _manager), _guarded("boot steps", _boot)]
    checks.append(_guarded("web server", _web_server))
    checks.append(_guarded("commands", lambda: _commands(commands)))
    checks.append(_guarded("apps", _apps))
    checks.append(_guarded("uninstalling", _leaving))
    return tuple(checks)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever a plug-in of somebody else's raises is what is looked for
        return Check(name, False, f"{type(error).__name__}: {error}")


def _plugins() -> Check:
    """Every plug-in that can touch the schema must load: the host leaves out those that do not.

    Other commands and overrides of other providers are left to the host.
    """
    broken = [
        f"{group}: {entry.name} = {entry.value}: {problem}"
        for group in CHECKED_GROUPS
        for entry in entry_points_of(group)
        if _matters(group, entry.name) and (problem := _problem(entry)) is not None
    ]
    return Check("plug-ins", not broken, "; ".join(broken) or "all load")


def _matters(group: str, name: str) -> bool:
    match group:
        case "framework_m_core.cli_commands":
            return name.startswith("migrate")
        case "framework_m.overrides":
            return name in PROVIDERS
        case _:
            return True


def _problem(entry: EntryPoint) -> str | None:
    try:
        entry.load()
    except ModuleNotFoundError as error:
        of_host = entry.value.startswith(("framework_m_core.", "framework_m_standard."))
        return None if of_host else f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - as above
        return f"{type(error).__name__}: {error}"
    return None


def _manager() -> Check:
    from framework_m_core.container import Container, load_overrides

    from framework_m_migrations.embedding.framework_m.manager import Manager

    container = Container()
    load_overrides(container)
    found = type(container.migration_manager(base_path="."))
    return Check("migration manager", issubclass(found, Manager), f"{found.__module__}.{found.__qualname__}")


def _boot() -> Check:
    """One way or the other: by our steps, or by the override where the host leaves our steps out."""
    from framework_m_core.config import get_installed_apps
    from framework_m_core.container import Container

    from framework_m_migrations.embedding.framework_m.boot import ENGAGED

    allowed = get_installed_apps()
    if allowed is not None and OWN_PACKAGE not in {name.replace("-", "_") for name in allowed}:
        engaged = bool(Container.config.get(ENGAGED))
        return Check("boot steps", True, "by the override" if engaged else "auto_sync_schema is off")
    ours = [entry.name for entry in entry_points_of("framework_m.bootstrap") if entry.value.startswith(OWN_PACKAGE)]
    return Check("boot steps", len(ours) == 2, ", ".join(ours) or "not registered: install the package again")


def _web_server() -> Check:
    """The one function of the host that is wrapped; no fault where the host's web server is not installed."""
    from framework_m_migrations.embedding.framework_m.lifespan import wrapping_state

    try:
        ok, found = wrapping_state()
    except ImportError as error:
        ok, found = True, f"not installed: {error}"
    return Check("web server", ok, found)


def _commands(names: Iterable[str]) -> Check:
    missing = [name for name in names if not served_by_us(name)]
    found = f"not ours: {', '.join(missing)}" if missing else "all are ours"
    return Check("commands", not missing, found)


def _apps() -> Check:
    from pathlib import Path

    from framework_m_migrations.embedding.framework_m.wiring import host_apps, host_doctypes

    apps = host_apps((), Path())
    doctypes = host_doctypes(apps)
    return Check("apps", True, f"{', '.join(app.name for app in apps) or 'none'}; {len(doctypes)} DocTypes")


def _leaving() -> Check:
    """What to settle before this package is uninstalled, as far as it can be told without a database; never a fault."""
    from pathlib import Path

    from framework_m_migrations.adapters.sql.desired.tables import RENAMED_KEY
    from framework_m_migrations.embedding.framework_m.wiring import host_apps, host_doctypes

    apps = host_apps((), Path())
    folders = [Path(app.version_folder) for app in apps if app.version_folder is not None]
    files = [file.name for folder in folders for file in sorted(folder.glob("*.py")) if OWN_PACKAGE in file.read_text()]
    tables = [table for doctype in host_doctypes(apps) for table in doctype.tables]
    renamed = [table.name for table in tables if RENAMED_KEY in table.info]
    renamed += [str(column) for table in tables for column in table.columns if RENAMED_KEY in column.info]
    found = [f"renames are declared: {', '.join(renamed)}"] if renamed else []
    found += [f"revisions use this package: {', '.join(files)}"] if files else []
    return Check(
        "uninstalling", True, "; ".join(found) or "nothing in the files; `m migrate status` reports on the database"
    )
