"""The projects in examples/ with other frameworks: the commands of each README, run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.waiting import PROGRAM_LIMIT

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["fastapi_sqlmodel", "flask_sqlalchemy", "litestar_advanced_alchemy", "plain_sqlalchemy"]
)
def test_the_commands_of_the_readme_do_what_it_says(name: str, tmp_path: Path) -> None:
    project = tmp_path / name
    shutil.copytree(EXAMPLES / name, project, ignore=shutil.ignore_patterns("__pycache__", "*.db"))
    script, promised = ["exec 2>&1"], []
    lines = "".join(CONSOLE.findall((project / "README.md").read_text(encoding="utf-8"))).splitlines()
    for line in lines:
        if line.startswith("$ pip install "):
            continue  # What they name is pinned in constraints/dev.txt.
        if line.startswith(("$ ", "> ")):
            script.append(line[2:])
        else:
            promised.append(line)
    kept = {key: value for key, value in os.environ.items() if "DATABASE" not in key and "MIGRATIONS" not in key}
    done = subprocess.run(
        ["bash", "-e"],
        input="\n".join(script),
        cwd=project,
        # In a console that is wide enough no line of a table is wrapped.
        env=kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=PROGRAM_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    rest = done.stdout
    for line in promised:
        assert line in rest, f"{line!r} is not in what is left of:\n{done.stdout}"
        rest = rest.split(line, 1)[1]
