"""Writes embedding/sync.py from embedding/aio.py: the same commands without an event loop.

python scripts/make_sync.py            write the file
python scripts/make_sync.py --check    exit with 1 where the file is not what would be written
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "src" / "framework_m_migrations" / "embedding"
SOURCE, TARGET = HERE / "aio.py", HERE / "sync.py"

ASYNC_DOC = "AsyncMigrationManager: every command for programs inside an event loop, which keeps running meanwhile."
SYNC_DOC = """MigrationManager: every command for programs without an event loop.

Written by scripts/make_sync.py from aio.py: change that file, and run the script.
"""
ASYNC_CLASS_DOC = """Both tracks over one database, awaited. The methods are those of MigrationManager.

    Every method raises MigrationError, and nothing else, for what can go wrong; a cancelled one leaves finished steps
    committed and gives its lock back."""
SYNC_CLASS_DOC = """Both tracks over one database, synchronously.

    With an asynchronous driver it runs an event loop of its own for each command; inside a running loop use
    AsyncMigrationManager. Every method raises MigrationError, and nothing else, for what can go wrong."""

TEXTS = [
    (ASYNC_DOC, SYNC_DOC),
    (ASYNC_CLASS_DOC, SYNC_CLASS_DOC),
    ("import AsyncConnection, AsyncEngine", "import AsyncEngine"),
    ("class AsyncMigrationManager", "class MigrationManager"),
    ("AsyncEngine | sa.Engine | None", "sa.Engine | AsyncEngine | None"),
    ("AsyncConnection | sa.Connection | None", "sa.Connection | None"),
    ("AsyncTenantCommands", "TenantCommands"),
    ("run_async(", "run("),
]


def without_event_loop(text: str) -> str:
    """The synchronous text of an asynchronous one.

    Raises:
        ValueError: a part that is to be replaced is not there.
    """
    for before, after in TEXTS:
        if before not in text:
            raise ValueError(f"{SOURCE.name} has no {before!r} any more: correct the list in scripts/make_sync.py.")
        text = text.replace(before, after)
    text = re.sub(r"\basync def ", "def ", text)
    text = re.sub(r"\(await ([^()]+\(\))\)", r"\1", text)
    text = re.sub(r"\bawait ", "", text)
    formatter = [str(Path(sys.executable).with_name("ruff")), "format", "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(formatter, input=text, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """0 when the file is as it should be afterwards."""
    text = without_event_loop(SOURCE.read_text(encoding="utf-8"))
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("embedding/sync.py is not what scripts/make_sync.py makes of aio.py: run that script.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
