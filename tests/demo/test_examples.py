"""Documents that show commands: those of the projects in examples/, and the pages of docs/ that teach.

Commands and programs are run as they stand, from top to bottom; the output that is shown has to come, in that order.
"""

from __future__ import annotations

import os
import re
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.waiting import PROGRAM_LIMIT
from tests._postgres import PostgresDatabase
from tests.cli._program import Server

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r'^```(console|python|toml|ini|yaml)(?: title="([^"\n]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
PAGES = [DOCS / f"{name}.md" for name in ("tutorial", "tracks", "deterministic", "hooks", "json")]
PAGES += sorted(DOCS.glob("guides/*.md"))
SERVER = "postgresql+asyncpg://app@localhost/shop"
ON_SERVER = [page for page in PAGES if SERVER in page.read_text(encoding="utf-8")]


def _script(text: str) -> Iterator[tuple[str, list[str]]]:
    """For each block what a shell does for it, and the lines of output that it promises.

    A block with a title is the file of that name, Python without one a program.
    """
    for language, file, block in BLOCK.findall(text):
        if language == "console":
            typed = [line for line in block.splitlines() if line.startswith(("$ ", "> "))]
            promised = [line for line in block.splitlines() if line not in typed]
            # What pip would install is pinned in constraints/dev.txt.
            yield "\n".join(line[2:] for line in typed if not line.startswith("$ pip install ")), promised
        elif file:
            yield f"mkdir -p $(dirname {file}); cat > {file} <<'END OF FILE'\n{block}END OF FILE", []
        elif language == "python":
            yield f"python - <<'END OF FILE'\n{block}END OF FILE", []


@pytest.fixture(scope="module")
def programs() -> Iterator[tuple[Path, Path]]:
    """A folder for PATH with ``m-migrate`` in it, and the socket at which that asks for its process."""
    server, turn = Server(), threading.Lock()

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request = self.rfile.readline().decode()
            with turn:
                self.wfile.write(f"{server.ask(request.strip())}\n".encode())

    # A socket's name has to be short.
    with tempfile.TemporaryDirectory() as folder:
        program, socket = Path(folder, "m-migrate"), Path(folder, "asked")
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {Path(__file__).with_name("shim.py")} "$@"\n')
        program.chmod(0o755)
        with socketserver.ThreadingUnixStreamServer(str(socket), Answer) as listening:
            thread = threading.Thread(target=listening.serve_forever)
            thread.start()
            yield program.parent, socket
            listening.shutdown()
            thread.join()
    server.close()


def _follow(text: str, project: Path, programs: tuple[Path, Path]) -> None:
    blocks = list(_script(text))
    kept = {key: value for key, value in os.environ.items() if "DATABASE" not in key and "MIGRATIONS" not in key}
    done = subprocess.run(
        ["bash", "-e"],
        input="\n".join(["exec 2>&1", *(commands for commands, _ in blocks)]),
        cwd=project,
        # In a console that is wide enough no line of a table is wrapped.
        env=kept
        | {
            "PATH": f"{programs[0]}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": "",
            "COLUMNS": "200",
            "M_MIGRATE_SERVER": str(programs[1]),
        },
        capture_output=True,
        text=True,
        timeout=PROGRAM_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    rest = done.stdout
    for line in (line for _, promised in blocks for line in promised):
        assert line in rest, f"{line!r} is not in what is left of:\n{done.stdout}"
        rest = rest.split(line, 1)[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["fastapi_sqlmodel", "flask_sqlalchemy", "litestar_advanced_alchemy", "plain_sqlalchemy"]
)
def test_the_commands_of_the_readme_do_what_it_says(name: str, tmp_path: Path, programs: tuple[Path, Path]) -> None:
    project = tmp_path / name
    shutil.copytree(ROOT / "examples" / name, project, ignore=shutil.ignore_patterns("__pycache__", "*.db"))
    _follow((project / "README.md").read_text(encoding="utf-8"), project, programs)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page not in ON_SERVER], ids=lambda page: page.stem)
def test_the_commands_of_the_page_do_what_it_says(page: Path, tmp_path: Path, programs: tuple[Path, Path]) -> None:
    _follow(page.read_text(encoding="utf-8"), tmp_path, programs)


@pytest.mark.slow
@pytest.mark.parametrize("page", ON_SERVER, ids=lambda page: page.stem)
def test_the_commands_of_the_page_do_what_it_says_on_postgresql(
    page: Path, tmp_path: Path, postgres_database: PostgresDatabase, programs: tuple[Path, Path]
) -> None:
    _follow(page.read_text(encoding="utf-8").replace(SERVER, postgres_database.url), tmp_path, programs)
