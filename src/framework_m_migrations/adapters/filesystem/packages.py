"""Where a package lies, found without importing it: importing an app may open databases, and costs seconds."""

from __future__ import annotations

import importlib.util
import re
import sys
import sysconfig
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from framework_m_migrations.domain.errors import AppBroken, AppNotFound

_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
_DOTTED_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Located:
    """An app's package. ``folder`` is None for a single module, which has no place for revisions."""

    package: str
    folder: Path | None


def is_module_name(name: str) -> bool:
    """True for what could be imported: no path, no relative name."""
    return _DOTTED_NAME.fullmatch(name) is not None


def locate(module: str) -> Located | None:
    """The app package that holds ``module``: its first part that is a regular package.

    For ``wms.plugin`` that is ``wms``; where ``suite`` is a namespace package, ``suite.shop.app`` belongs to
    ``suite.shop``. None when there is no such module.

    Raises:
        AppBroken: the package lies in an archive, or is a namespace package alone, so that it has no folder.
        AppNotFound: ``module`` is no module name, or a part of Python itself, whose folders are not ours to write to.
    """
    if not is_module_name(module):
        raise AppNotFound(f"{module!r} is not the name of an app or of a package.")
    parts = module.split(".")
    spec = _top_level(parts[0])
    name = parts[0]
    for part in parts[1:]:
        if spec is None or not _is_namespace(spec):
            break
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    if spec is None:
        return None
    if _is_namespace(spec):
        raise AppBroken(
            f"{name!r} is a namespace package: it has no folder of its own.",
            next_step=f"Name the package inside it ({name}.something), or give it an __init__.py.",
            details={"package": name},
        )
    folder = _folder(name, spec)
    if folder is not None and parts[0] in sys.stdlib_module_names and folder.is_relative_to(_STANDARD_LIBRARY):
        raise AppNotFound(f"{name!r} is a part of Python, not an app.", details={"package": name})
    return Located(name, folder)


def _top_level(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ValueError:
        # A module made by hand, such as __main__, has no spec; it cannot be an installed app.
        return None
    except ImportError as error:
        raise AppBroken(f"The package {name!r} cannot be looked up: {error}", details={"package": name}) from error


def _is_namespace(spec: ModuleSpec) -> bool:
    return spec.origin is None and spec.submodule_search_locations is not None


def _folder(name: str, spec: ModuleSpec) -> Path | None:
    if spec.submodule_search_locations is None:
        return None
    folder = Path(next(iter(spec.submodule_search_locations), ""))
    if not folder.is_dir():
        raise AppBroken(
            f"The package {name!r} is at {folder}, which is no folder; revisions and hooks are read from folders only.",
            next_step="Install the package unpacked, not as a zip archive.",
            details={"package": name, "location": str(folder)},
        )
    return folder.resolve()


def error_place(error: BaseException) -> str:
    """``file, line n`` where an import failed, as near to the cause as can be told; empty when nowhere."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith("<frozen") and code.co_filename != _IMPORTLIB:
            place = f" ({code.co_filename}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


_IMPORTLIB = sys.modules["importlib"].__file__
