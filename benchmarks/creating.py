"""python -m benchmarks.creating [--tables 200] [--repeat 3]

Processor time of whole commands on SQLite: `m-migrate create` of a first revision, with and without its proof, and
`alembic revision --autogenerate` of the same models, taking turns.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ENV = """
from alembic import context
from sqlalchemy import create_engine
from models import metadata
with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
"""


def _cost(folder: Path, *command: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    path = f"{folder}{os.pathsep}{Path(__file__).parents[1]}"
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": path})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(tables: int, folder: Path) -> dict[str, float]:
    """CPU seconds of each command, each from an empty history."""
    models = f"from benchmarks.synthetic import build\nmetadata = build({tables})\n"
    own, other = folder / "own", folder / "other"
    app, theirs = own / "app", other / "theirs"
    app.mkdir(parents=True)
    (app / "__init__.py").touch()
    (theirs / "versions").mkdir(parents=True)
    for place in (own, other):
        (place / "models.py").write_text(models, encoding="utf-8")
    (theirs / "env.py").write_text(ENV, encoding="utf-8")
    shutil.copy(Path(sys.modules["alembic"].__file__ or "").parent / "templates/generic/script.py.mako", theirs)
    url = "sqlite:///dev.db"
    (other / "alembic.ini").write_text(
        f"[alembic]\nscript_location = theirs\nsqlalchemy.url = {url}\n", encoding="utf-8"
    )
    ours: tuple[str, ...] = (
        str(Path(sys.executable).with_name("m-migrate")),
        "create",
        "first",
        "--apps",
        "app",
        "--app",
        "app",
    )
    ours = (*ours, "--metadata", "models:metadata", "--database-url", f"sqlite:///{own / 'dev.db'}")
    found = {
        "create --no-prove": _cost(own, *ours, "--no-prove"),
        "Alembic": _cost(other, sys.executable, "-m", "alembic", "revision", "--autogenerate", "-m", "first"),
    }
    shutil.rmtree(app / "migrations")
    found["create"] = _cost(own, *ours)
    return found


def main() -> None:
    """Print the least of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    runs = []
    for _ in range(given.repeat):
        with tempfile.TemporaryDirectory() as place:
            runs.append(measure(given.tables, Path(place)))
    for name in runs[0]:
        print(f"{given.tables} tables, {name}: {min(run[name] for run in runs):.2f} s of CPU")


if __name__ == "__main__":
    import alembic  # noqa: F401 - its template is copied

    main()
