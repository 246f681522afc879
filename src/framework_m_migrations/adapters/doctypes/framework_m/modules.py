"""Imports the modules in which apps declare DocTypes, and says so when one of them fails.

The host's own discovery passes over every ImportError, so that a DocType with a broken import looks like one that was
removed. Here each module is imported before the host looks at it; what the host then finds is in sys.modules already.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import traceback
from collections.abc import Iterator
from types import ModuleType

from framework_m_migrations.domain.errors import AppBroken
from framework_m_migrations.ports.app_discovery import App

CORE = App("framework_m_core", "framework_m_core")
"""The host's own DocTypes, which every Framework M process loads before any app's."""


def doctype_modules(app: App) -> list[ModuleType]:
    """All modules of an app's ``doctypes`` package (or module), imported; empty when it has none.

    Raises:
        AppBroken: the app's package or one of the modules failed to import; names the module, chains the failure.
    """
    import_strictly(app, app.package)
    name = f"{app.package}.doctypes"
    if not _exists(app, name):
        return []
    root = import_strictly(app, name)
    path = getattr(root, "__path__", None)
    return [root] if path is None else list(_walk(app, root))


def _walk(app: App, package: ModuleType) -> Iterator[ModuleType]:
    """The modules under a package, depth first, in the order of their names, as pkgutil.walk_packages has it."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        try:
            module = import_strictly(app, found.name)
        except AppBroken as error:
            if _is_test_without_its_tools(app, found.name, error.__cause__):
                continue
            raise
        yield module
        if found.ispkg:
            yield from _walk(app, module)


def import_strictly(app: App, name: str) -> ModuleType:
    """Import a module of an app.

    Raises:
        AppBroken: it failed, whatever the reason was.
    """
    try:
        return importlib.import_module(name)
    # An app's module is code of somebody else's: whatever it raises must be reported by name, never passed over.
    except Exception as error:
        raise AppBroken(
            f"The DocTypes of app {app.name!r} cannot be loaded: importing {name} failed with "
            f"{type(error).__name__}: {error}{_place(error)}.",
            details={"app": app.name, "module": name},
        ) from error


def _exists(app: App, name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            return False
        raise AppBroken(
            f"The DocTypes of app {app.name!r} cannot be looked up: {name}: {error}.",
            details={"app": app.name, "module": name},
        ) from error


def _is_test_without_its_tools(app: App, name: str, error: BaseException | None) -> bool:
    """True for a test module beside its DocType that only lacks the tools of a development environment.

    Apps keep ``test_invoice.py`` next to ``invoice.py``; on a server without pytest it cannot be imported and need not.
    """
    last = name.rpartition(".")[2]
    if not (last.startswith("test_") or last.endswith("_test") or last in {"conftest", "tests"}):
        return False
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return missing is not None and missing.partition(".")[0] != app.package.partition(".")[0]


def _place(error: BaseException) -> str:
    """Where the import failed: the line of the module itself, or of what it imports."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename not in {importlib.__file__, __file__}
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
