"""The way to the browser: the JavaScript files of this package, the worker's file system, and its errors in our tree.

Nothing here is imported from Pyodide before it is used, so that every module loads on any Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

from framework_m_migrations.domain.errors import (
    PersistenceError,
    QuotaExceeded,
    StoreConflict,
    StoreInUse,
    StoreUnavailable,
)

_MEANINGS: dict[str, type[PersistenceError]] = {
    "QuotaExceededError": QuotaExceeded,
    "NoModificationAllowedError": StoreInUse,
    "StoreInUse": StoreInUse,
    "StoreConflict": StoreConflict,
    "InvalidStateError": StoreUnavailable,
    "NotAllowedError": StoreUnavailable,
    "SecurityError": StoreUnavailable,
    "StoreUnavailable": StoreUnavailable,
    "TypeMismatchError": StoreUnavailable,
    "UnknownError": StoreUnavailable,
    "VersionError": StoreUnavailable,
}
"""What the names of DOMExceptions (Web IDL, IndexedDB, File System standards) and of our own errors mean."""


@cache
def script(name: str) -> Any:
    """The value of a JavaScript file of this package, evaluated once for each worker."""
    from pyodide.code import run_js

    return run_js(files(__package__).joinpath("js", name).read_text(encoding="utf-8"))


def file_system() -> Any:
    """Emscripten's FS object of this worker."""
    import pyodide_js

    return pyodide_js.FS


@contextmanager
def store_failures(doing: str) -> Iterator[None]:
    """Turns JavaScript's exceptions into PersistenceError.

    Args:
        doing: what failed then, as the beginning of a sentence.
    """
    from pyodide.ffi import JsException

    try:
        yield
    except JsException as error:
        name = str(getattr(error, "name", ""))
        message = " ".join(str(getattr(error, "message", error)).split()).rstrip(".")
        kind = _MEANINGS.get(name, PersistenceError)
        raise kind(f"{doing}: {message or name}.", details={"name": name}) from error
