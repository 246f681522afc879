"""Hooks, read from each app's ``migrations/__init__.py``."""

from __future__ import annotations

import importlib
from types import ModuleType

from framework_m_migrations.adapters.filesystem.apps import error_place, is_inside, locate, without_foreign_links
from framework_m_migrations.domain.effects import Hook, HookPhase
from framework_m_migrations.domain.errors import AppBroken
from framework_m_migrations.ports.app_discovery import App, AppDiscovery


class FilesystemHooks:
    """HookRegistry over packages: ``before_sync`` and ``after_sync``, plain or ``async``.

    Args:
        discovery: finds the apps.
    """

    def __init__(self, discovery: AppDiscovery) -> None:
        self._discovery = discovery

    def hooks(self) -> tuple[Hook, ...]:
        """Hooks in the order of apps. Imports the hook modules, and with them their apps.

        Raises:
            AppBroken: a hook module failed to import, or a hook is not a function.
            AppNotFound: as the discovery.
        """
        found: list[Hook] = []
        for app in self._discovery.apps():
            module = _hook_module(app)
            if module is not None:
                found.extend(_hooks_of(app, module))
        return tuple(found)


def _hook_module(app: App) -> ModuleType | None:
    located = locate(app.package)
    if located is None or located.folder is None or not (located.folder / "migrations" / "__init__.py").is_file():
        return None
    folder = located.folder / "migrations"
    if not is_inside(folder, located.folder):
        raise AppBroken(
            f"The hooks of app {app.name!r} lie in {folder.resolve()}, outside of its package; they were not loaded.",
            next_step="Put the folder itself into the package.",
            details={"app": app.name, "folder": str(folder.resolve())},
        )
    without_foreign_links(folder, located.folder, app.name)
    name = f"{app.package}.migrations"
    try:
        return importlib.import_module(name)
    # A hook module is the app's own code: whatever it raises on import must be reported, never passed over.
    except Exception as error:
        raise AppBroken(
            f"The hooks of app {app.name!r} cannot be loaded: importing {name} failed with "
            f"{type(error).__name__}: {error}{error_place(error)}",
            details={"app": app.name, "module": name},
        ) from error


def _hooks_of(app: App, module: ModuleType) -> list[Hook]:
    found: list[Hook] = []
    for phase in HookPhase:
        function = getattr(module, phase.value, None)
        if function is None:
            continue
        if not callable(function):
            raise AppBroken(
                f"{module.__name__}.{phase.value} of app {app.name!r} is no function.",
                details={"app": app.name, "module": module.__name__},
            )
        found.append(Hook(app.name, phase, function))
    return found
