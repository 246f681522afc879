"""Run inside Pyodide by scripts/pyodide_bundle.py: compiles /out/source into /out/done, as /out/jobs.json says.

Docstrings and assertions stay: SQLAlchemy asserts that some of its docstrings are there.
"""

from __future__ import annotations

import importlib.util
import json
import marshal
from pathlib import Path

OUT = Path("/out")
UNCHECKED_HASH = 1
"""The flag of PEP 552 for a module that is never compared with its source."""


def compiled(source: bytes, name: str) -> bytes:
    """The content of a .pyc file."""
    code = compile(source, f"/packages/{name}", "exec", dont_inherit=True)
    flags = UNCHECKED_HASH.to_bytes(4, "little")
    head = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def main() -> None:
    """Compile all."""
    for name, target in json.loads((OUT / "jobs.json").read_text()).items():
        (OUT / "done" / target).write_bytes(compiled((OUT / "source" / name).read_bytes(), name))


if __name__ == "__main__":
    main()
