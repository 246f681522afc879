"""Builds the archive of precompiled modules that a browser's worker unpacks and imports from:

    python scripts/pyodide_bundle.py OUT.zip [core] [doctypes]

``core`` is this package with SQLAlchemy and Alembic; ``doctypes`` adds the DocTypes of Framework M. Modules are
compiled by Pyodide's own Python and are never checked against a source, which is not there. What was compiled once is
kept in .pyodide/compiled by content.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.pyodide_setup import CACHE, FETCH, ROOT, ensure

GROUPS = {
    "core": ("sqlalchemy", "alembic", "mako", "markupsafe", "typing_extensions.py", "framework_m_migrations"),
    "doctypes": (
        *("pydantic", "pydantic_core", "pydantic_settings", "annotated_types", "typing_inspection", "dotenv"),
        *("framework_m_core", "framework_m_standard"),
    ),
}
# Prefixes of what no worker imports: test suites, the command line, drivers of servers, the host's own services.
LEFT_OUT = (
    *("sqlalchemy/testing/", "sqlalchemy/ext/mypy/", "alembic/testing/", "alembic/templates/", "mako/testing/"),
    *("pydantic/v1/", "pydantic/mypy.py", "framework_m_core/cli/", "framework_m_core/testing/"),
    *("framework_m_migrations/__main__.py", "framework_m_migrations/cli/"),
    *("framework_m_migrations/container/di.py", "framework_m_migrations/testing/"),
    *("framework_m_migrations/embedding/framework_m/", "framework_m_migrations/adapters/sql/async_"),
    "framework_m_migrations/adapters/sql/dialects/mariadb/",
)
# Of the host's standard adapters, those that run in a worker.
STANDARD = tuple(
    f"framework_m_standard/{name}"
    for name in (
        *("__init__.py", "adapters/__init__.py", "adapters/db/schema_mapper.py", "adapters/db/field_registry.py"),
        *("adapters/db/job_queue_repository.py", "adapters/db/table_registry.py"),
    )
)
NO_DATA = {".c", ".pxd", ".pyi", ".pyx", ".pyc", ".typed"}
MOMENT = (2000, 1, 1, 0, 0, 0)
"""The time of every entry: the same modules make the same archive, byte for byte."""


def build(archive: Path, groups: Sequence[str]) -> None:
    """Write the archive.

    Args:
        archive: the file; its folder is made.
        groups: keys of GROUPS.

    Raises:
        SystemExit: Node is missing, or a module cannot be compiled.
    """
    ensure()
    files = dict(_files(groups))
    names = {name: file for name, file in files.items() if name.endswith(".py")}
    compiled = _compile(names)
    entries = {f"{name}c" if name in compiled else name: compiled.get(name, file) for name, file in files.items()}
    archive.parent.mkdir(parents=True, exist_ok=True)
    fresh = archive.with_suffix(f".{os.getpid()}")
    shutil.copyfile(_packed(entries), fresh)
    fresh.replace(archive)


def _packed(entries: dict[str, Path]) -> Path:
    """The archive of these entries, which is kept: compressing takes longer than everything else."""
    digest = hashlib.sha256()
    for name, file in sorted(entries.items()):
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    kept = CACHE / "archives" / f"{digest.hexdigest()}.zip"
    if kept.exists():
        return kept
    kept.parent.mkdir(exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, file in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, file.read_bytes(), compresslevel=9)
    fresh.replace(kept)
    return kept


def _files(groups: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for name in (name for group in groups for name in GROUPS[group]):
        base = ROOT / "src" if name == "framework_m_migrations" else CACHE / "site"
        for file in [base / name, *(base / name).rglob("*")]:
            inside = file.relative_to(base).as_posix()
            wanted = file.suffix not in NO_DATA and not inside.startswith(LEFT_OUT)
            if file.is_file() and wanted and (name != "framework_m_standard" or inside in STANDARD):
                yield inside, file
    # The host finds its own parts by their entry points.
    for file in (CACHE / "site").glob("framework_m_*.dist-info/*") if "doctypes" in groups else ():
        if file.name in {"METADATA", "entry_points.txt"}:
            yield file.relative_to(CACHE / "site").as_posix(), file


def _compile(names: dict[str, Path]) -> dict[str, Path]:
    """Name of each module in the archive to the file with its compiled form."""
    kept = CACHE / "compiled"
    kept.mkdir(exist_ok=True)
    compiler = ROOT / "scripts" / "pyodide_compile.py"
    version = (ROOT / "package.json").read_bytes() + compiler.read_bytes()
    found = {
        name: kept / hashlib.sha256(b"\0".join((version, name.encode(), file.read_bytes()))).hexdigest()
        for name, file in names.items()
    }
    missing = {name: file for name, file in found.items() if not file.exists()}
    if missing:
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            out = Path(folder)
            (out / "jobs.json").write_text(json.dumps({name: file.name for name, file in missing.items()}))
            for name in missing:
                (out / "source" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(names[name], out / "source" / name)
            (out / "done").mkdir()
            _run_inside(compiler, out)
            for file in missing.values():
                (out / "done" / file.name).replace(file)
    return found


def _run_inside(script: Path, out: Path) -> None:
    node = shutil.which("node")
    if node is None:
        raise SystemExit("The archive for browsers is compiled by Pyodide under Node 20 or later; node was not found.")
    runner = ["scripts/pyodide_node.mjs", script.relative_to(ROOT).as_posix()]
    done = subprocess.run(
        [node, *runner], cwd=ROOT, env={**os.environ, "PYODIDE_OUT": str(out)}, check=False, timeout=FETCH
    )
    if done.returncode:
        raise SystemExit("The modules for browsers could not be compiled; what Pyodide said is above.")


def main(arguments: Sequence[str]) -> None:
    """See the module."""
    if not arguments or arguments[0].startswith("-") or not set(arguments[1:]) <= set(GROUPS):
        raise SystemExit(__doc__)
    archive = Path(arguments[0])
    build(archive, arguments[1:] or ("core",))
    with zipfile.ZipFile(archive) as packed:
        print(f"{archive}: {archive.stat().st_size / 1e6:.2f} MB, {len(packed.namelist())} files")


if __name__ == "__main__":
    main(sys.argv[1:])
