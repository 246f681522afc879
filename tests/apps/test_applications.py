"""Applications as they are on PyPI: sync builds what create_all builds, and adopts what their own history built."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests._postgres import PostgresDatabase
from tests.apps.applications import APPLICATIONS, Application
from tests.support.profile import NIGHTLY

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".apps"

pytestmark = pytest.mark.apps


def environment(app: Application) -> Path:
    """The Python of an environment with the application in it, made when it is first asked for."""
    folder = ENVIRONMENTS / f"{app.name}-{app.version}-{sysconfig.get_python_version()}"
    ENVIRONMENTS.mkdir(exist_ok=True)
    done = folder / "done"
    with (ENVIRONMENTS / f"{folder.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not done.exists():
            venv.create(folder, with_pip=True, clear=True)
            command = [
                str(folder / "bin" / "pip"),
                "install",
                "-q",
                "--disable-pip-version-check",
                f"{app.name}=={app.version}",
            ]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            assert made.returncode == 0, made.stderr
            done.touch()
    return folder / "bin" / "python"


def tried(app: Application, urls: list[str]) -> dict[str, object]:
    # The project's own packages come first: the application runs with the SQLAlchemy that is tested.
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), sysconfig.get_path("purelib")])
    command = [str(environment(app)), "-m", "tests.apps.trial", app.name, *urls]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


PARAMETERS = [
    pytest.param(
        app,
        dialect,
        id=f"{app.name}-{dialect}",
        marks=[
            *([pytest.mark.postgres] if dialect == "postgresql" else []),
            *([] if app.small else [pytest.mark.slow]),
        ],
    )
    for app in APPLICATIONS
    if app.small or NIGHTLY
    for dialect in app.dialects
]


@pytest.mark.parametrize(("app", "dialect"), PARAMETERS)
def test_an_application_is_built_and_adopted(
    app: Application, dialect: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if dialect == "sqlite":
        urls = [f"sqlite:///{tmp_path / name}.db" for name in ("work", "ideal", "adopted")]
    else:
        make: Callable[[], PostgresDatabase] = request.getfixturevalue("make_postgres_database")
        urls = [make().sync_url for _ in range(3)]
    found = tried(app, urls)
    for name in ("withheld", "planned", "differs", "masked", "phantom"):
        assert not found.get(name), json.dumps(found, indent=1)
