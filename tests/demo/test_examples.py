"""Documents that show commands: those of the projects in examples/, and the pages of docs/ that teach.

Commands and programs are run as they stand, from top to bottom; the output that is shown has to come, in that order.
What pages with snippets of another kind show (NOT_RUN) is read by what would run it: the parser of the command line,
Python's compiler and importer, the reader of the project file.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from framework_m_migrations.cli.app import make_app
from framework_m_migrations.container.project_file import KEYS
from scripts.waiting import PROGRAM_LIMIT
from tests._postgres import PostgresDatabase
from tests.cli._program import Server

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r'^```(console|python|toml|ini|yaml)(?: title="([^"\n]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
PAGES = [DOCS / f"{name}.md" for name in ("tutorial", "tracks", "deterministic", "hooks", "json")]
PAGES += sorted(DOCS.glob("guides/*.md"))
NOT_RUN = {
    "README": "the models and the server are the reader's",
    "adapters": "the contracts need an adapter of the reader's; tests/contract runs them",
    "browser": "needs a browser; tests/browser runs the playground",
    "cli": "parts of a project file, and a look at the installed schema",
    "defined": "parts of models and of a revision; tests/sql/test_defined.py has whole ones",
    "deployment": "needs Kubernetes and a tracer",
    "framework-m": "needs Framework M's web server and tenants; tests/framework_m runs the commands",
    "revisions": "parts of a revision and of a conftest.py",
}
"""Pages whose blocks are parts of something, or need what no test has, with the reason."""
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
def programs(server: Server) -> Iterator[tuple[Path, Path]]:
    """A folder for PATH with ``m-migrate`` in it, and the socket at which that asks for its process."""
    turn = threading.Lock()

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


DOCUMENTS = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("guides/*.md"))]
DOCUMENTS += sorted((ROOT / "examples").glob("*/README.md"))
# In backquotes, or on a line of a block: fenced with a prompt, or indented.
COMMAND = re.compile(r"`m-migrate ([^`\n]+)`|^(?:    |\$ )(?:[A-Z_]+=\S+ )*m-migrate ([^\n]+)", re.MULTILINE)


def test_each_page_with_commands_or_programs_is_run_or_is_listed_with_the_reason() -> None:
    pages = [page for page in DOCUMENTS if page.is_relative_to(DOCS) or page.parent == ROOT]
    shown = {page.stem for page in pages if re.search(r"^```(console|python)", page.read_text("utf-8"), re.MULTILINE)}
    assert shown == {page.stem for page in PAGES} & shown | NOT_RUN.keys()


def _commands(page: Path) -> Iterator[str]:
    for quoted, line in COMMAND.findall(page.read_text(encoding="utf-8")):
        text = re.split(r"\d?[|<>;&]|\$\(", quoted or line)[0]
        # A word alone names the command, brackets and capitals are its synopsis.
        if " " in text.strip() and not re.search(r"\[|\b[A-Z]{3,}\b|\.\.\.|…", text):
            yield text


def test_every_command_of_every_page_is_one_that_the_command_line_takes() -> None:
    app = make_app(fancy=False)
    found = [(page, text) for page in DOCUMENTS for text in _commands(page)]
    assert len(found) > 50
    for page, text in found:
        try:
            app.parse_args(shlex.split(text, comments=True), exit_on_error=False, print_error=False)
        except Exception as error:  # noqa: BLE001 - of cyclopts there are many
            pytest.fail(f"{page.relative_to(ROOT)}: m-migrate {text}: {error}")


def test_python_of_every_page_compiles_and_imports_what_the_package_has() -> None:
    for page in DOCUMENTS:
        for language, _, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language != "python":
                continue
            # Parts may await, as a coroutine of the reader's would.
            part = f"async def part():\n{indent(block, '    ')}" if "await " in block else block
            tree = ast.parse(part, str(page))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("framework_m_migrations"):
                    module = importlib.import_module(node.module or "")
                    missing = [one.name for one in node.names if one.name != "*" and not hasattr(module, one.name)]
                    assert not missing, f"{page.relative_to(ROOT)}: {node.module} has no {missing}"


def test_settings_of_every_page_exist() -> None:
    for page in DOCUMENTS:
        for language, file, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language != "toml":
                continue
            given = tomllib.loads(block)
            ours = given if file == "m-migrate.toml" else given.get("tool", {}).get("framework-m-migrations", {})
            flat = {**ours, **{key: value for part in ours.get("env", {}).values() for key, value in part.items()}}
            assert not flat.keys() - {"env"} - KEYS.keys(), page
