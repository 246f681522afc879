"""The worker's file system and memory, for tests inside Pyodide."""

from __future__ import annotations

from typing import Any

import pyodide_js
from pyodide.code import run_js
from pyodide.ffi import to_js

from framework_m_migrations.adapters.pyodide import stores


def another_worker(folder: str) -> None:
    """Forget what is in memory, as a reload does."""
    pyodide_js.FS.unmount(folder)
    pyodide_js.FS.rmdir(folder)
    stores._known.pop(folder, None)


def wasm_memory() -> int:
    """Bytes of the WebAssembly heap."""
    return int(pyodide_js._module.HEAP8.length)


def delete(folder: str) -> None:
    """Empty the database file in memory. A folder that is empty altogether would be loaded from the store again."""
    pyodide_js.FS.truncate(f"{folder}/dev.db", 0)


def write(path: str, content: bytes) -> None:
    """Write a file with a new time."""
    pyodide_js.FS.writeFile(path, to_js(content))


def read(path: str) -> bytes:
    """The bytes of a file."""
    return bytes(pyodide_js.FS.readFile(path).to_py())


def forget(folder: str) -> None:
    """As if this worker had never loaded the folder."""
    stores._known.pop(folder, None)


async def syncfs_from_store(folder: str) -> None:
    """Mount and load as applications do that know Emscripten only."""
    pyodide_js.FS.mkdirTree(folder)
    pyodide_js.FS.mount(pyodide_js.FS.filesystems.IDBFS, to_js({}), folder)
    await _syncfs(folder, True)


async def syncfs_to_store(folder: str) -> None:
    """Flush as they do."""
    await _syncfs(folder, False)


_syncfs: Any = run_js("""
(folder, populate) => new Promise((resolve, reject) => {
  const { mount } = globalThis.__testFS.lookupPath(folder).node;
  mount.type.syncfs(mount, populate, (error) => (error ? reject(error) : resolve()));
})
""")
run_js("(FS) => { globalThis.__testFS = FS; }")(pyodide_js.FS)

fail_with: Any = run_js("""
(() => {
  const open = IDBFactory.prototype.open;
  const put = IDBObjectStore.prototype.put;
  return (name) => {
    IDBFactory.prototype.open = open;
    IDBObjectStore.prototype.put = put;
    if (name === "QuotaExceededError") {
      IDBObjectStore.prototype.put = function (...rest) { // as browsers do: the transaction aborts later on
        const request = put.apply(this, rest);
        const { transaction } = this;
        Object.defineProperty(transaction, "error", {
          configurable: true, get: () => new DOMException("on purpose", "QuotaExceededError"), set: () => undefined,
        });
        queueMicrotask(() => { try { transaction.abort(); } catch { /* it is aborted */ } });
        return request;
      };
    } else if (name) {
      IDBFactory.prototype.open = () => { throw new DOMException("on purpose", name); };
    }
  };
})()
""")

coarse_clock: Any = run_js("""
(() => {
  const exact = Date.now;
  return (milliseconds) => { // 0 gives the exact clock back
    Date.now = milliseconds ? () => exact() - (exact() % milliseconds) : exact;
  };
})()
""")
"""A clock that ticks seldom, as browsers that fear fingerprinting have it."""
