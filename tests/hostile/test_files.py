"""Malformed revision files, alembic.ini and env.py: an error that names the file; the database is as it was."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from framework_m_migrations.domain.errors import MigrationError
from tests.hostile.outcome import Prey, outcome, sqlite_prey, wipe
from tests.hostile.texts import hostile
from tests.support.profile import cases

APP = "hostile_app"
METADATA = sa.MetaData()
sa.Table("customer", METADATA, sa.Column("id", sa.Integer, primary_key=True))

FINE = (
    'revision = "aa01"\ndown_revision = None\nbranch_labels = ("hostile_app",)\ndepends_on = None\n'
    "def upgrade():\n    pass\ndef downgrade():\n    pass\n"
)
literals = st.one_of(
    hostile.map(repr), st.sampled_from((
        "None", "5", "()", "[]", "{}", "('aa01',)", "('a', 5)", "object()", "lambda: 1", "b'aa01'", "1.5", "'aa01'",
        "'bb02'", "['aa01', 'aa01']", "'aa01@head'", "'heads'", "'base'", "'-1'", "'head'", "'hostile_app@head'",
    ))
)  # fmt: skip
bodies = st.sampled_from(
    ("pass", "raise SystemExit(3)", "raise KeyboardInterrupt", "1/0", "raise Exception('postgresql://u:S3cr3t@h/d')",
     "from alembic import op; op.execute('NOT SQL')", "from alembic import op; op.drop_table('nowhere')", "return 5",
     "import nowhere_at_all", "from alembic import op; op.execute('COMMIT')", "yield 1", "raise StopIteration")
)  # fmt: skip


@st.composite
def revision_files(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(("fields", "fields", "fields", "bytes", "text", "raises")))
    if kind == "bytes":
        return draw(st.binary(max_size=60)) + draw(st.sampled_from((b"", b"\nrevision = 'aa01'\n")))
    if kind == "text":
        return (draw(hostile) + "\nrevision = 'aa01'\n" + draw(hostile)).encode("utf-8", "surrogatepass")
    if kind == "raises":
        return f"revision = 'aa01'\ndown_revision = None\n{draw(bodies)}\n".encode()
    lines = [
        f"{name} = {draw(literals)}"
        for name in ("revision", "down_revision", "branch_labels", "depends_on")
        if draw(st.booleans()) or name == "revision"
    ]
    for name in ("upgrade", "downgrade"):
        shape = draw(
            st.sampled_from(
                (
                    f"def {name}():\n    {{}}",
                    f"def {name}(a, b):\n    {{}}",
                    f"{name} = 5",
                    "",
                    f"async def {name}():\n    pass",
                )
            )
        )
        lines.append(shape.format(draw(bodies)))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


file_names = st.sampled_from(
    ("aa01.py", "x y.py", "ü.py", "__init__.py", ".hidden.py", "a.b.py", "aa01.pyc", "-.py", "class.py")
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = before
    for name in set(sys.modules) - modules:
        if name.startswith(APP):
            del sys.modules[name]


def emptied(folder: Path) -> Path:
    """An app without revisions; its version folder."""
    shutil.rmtree(folder, ignore_errors=True)
    versions = folder / APP / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / APP / "__init__.py").touch()
    return versions


files_of_an_app = st.dictionaries(file_names, revision_files(), min_size=1, max_size=2)


@settings(
    max_examples=cases(20, 1500), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@example(files={"aa01.py": b"revision = 'select'\ndown_revision = ''\ndef upgrade():\n    pass\n"}, fine=False)
@example(files={"aa01.py": b"revision = 'aa01'\ndown_revision = None\nasync def upgrade():\n    pass\n"}, fine=False)
@given(files=files_of_an_app, fine=st.booleans())
def test_hostile_revision_files(folder: Path, files: dict[str, bytes], fine: bool) -> None:
    with sqlite_prey() as prey:
        used(prey, folder, files, fine=fine)


@settings(
    max_examples=cases(8, 1000), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(files=files_of_an_app, fine=st.booleans())
def test_hostile_revision_files_on_postgresql(
    folder: Path, postgres_prey: Prey, files: dict[str, bytes], fine: bool
) -> None:
    wipe(postgres_prey)
    used(postgres_prey, folder, files, fine=fine)


def used(prey: Prey, folder: Path, files: dict[str, bytes], *, fine: bool) -> None:
    versions = emptied(folder / "project")
    for name, content in files.items():
        (versions / name).write_bytes(content)
    if fine:
        (versions / "zz_fine.py").write_text(FINE, encoding="utf-8")
    for call in ("status", "history", "run", "rollback", "verify"):
        manager = prey.manager(METADATA, path=folder / "project", apps=(APP,))
        method = getattr(manager, call)
        try:
            found = outcome(method, ["S3cr3t"])
        except (SystemExit, KeyboardInterrupt):
            # What ends a program ends it here too; the command line shows it as an error (test_commands).
            continue
        prey.check()
        if isinstance(found, MigrationError):
            assert str(folder) not in found.code


INI = "[alembic]\nscript_location = %(here)s/alembic\n"
ini_lines = st.lists(
    st.one_of(
        hostile,
        st.builds("{} = {}".format, st.sampled_from((
            "script_location", "sqlalchemy.url", "version_locations", "prepend_sys_path", "version_path_separator",
            "path_separator", "version_table", "timezone", "file_template", "[alembic]", "revision_environment",
        )), st.one_of(hostile, st.sampled_from((
            "%(here)s/alembic", "%(nowhere)s", "nowhere_package:folder", "os:x", "%", "5", "/", "..", "~", "newline",
            "postgresql://u:S3cr3t@h/d", "postgresql://u:S3cr3t%40@h/d",
        )))),
        st.sampled_from(("[alembic]", "[alembic", "[]", "[loggers]\nkeys = nowhere", "[formatters]", "\x00", "=", ":")),
    ),
    max_size=4,
).map("\n".join)  # fmt: skip
CONTEXT = "from alembic import context\n"
SHARED = "connection=context.config.attributes['connection']"
INJECTED = "version_table='a\\\"; DROP TABLE sentinel; --'"
IN_TRANSACTION = "\nwith context.begin_transaction():\n    context.run_migrations()"
envs = st.sampled_from((
    "from framework_m_migrations import alembic_env\nalembic_env.run()\n",
    "", "1/0", "import nowhere_at_all", "def x(:", "raise SystemExit(0)",
    "raise Exception('postgresql://u:S3cr3t@h/d')",
    CONTEXT + "context.configure()",
    CONTEXT + "context.run_migrations()",
    CONTEXT + "context.configure(url='nothing://x')\ncontext.run_migrations()",
    CONTEXT + "context.configure(connection=5)\ncontext.run_migrations()",
    CONTEXT + f"context.configure({SHARED}, {INJECTED}){IN_TRANSACTION}",
))  # fmt: skip


@settings(
    max_examples=cases(16, 1000), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(lines=ini_lines, whole=st.booleans(), env=envs)
def test_hostile_alembic_ini_and_env(folder: Path, lines: str, whole: bool, env: str) -> None:
    with sqlite_prey() as prey:
        configured(prey, folder, (INI + lines) if whole else lines, env)


@settings(max_examples=cases(6, 800), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(lines=ini_lines, whole=st.booleans(), env=envs)
def test_hostile_alembic_ini_and_env_on_postgresql(
    folder: Path, postgres_prey: Prey, lines: str, whole: bool, env: str
) -> None:
    wipe(postgres_prey)
    configured(postgres_prey, folder, (INI + lines) if whole else lines, env)


def configured(prey: Prey, folder: Path, text: str, env: str) -> None:
    project = folder / "project"
    versions = emptied(project)
    (versions / "fine.py").write_text(FINE, encoding="utf-8")
    (project / "alembic").mkdir()
    (project / "alembic" / "env.py").write_text(env, encoding="utf-8")
    (project / "alembic.ini").write_bytes(text.encode("utf-8", "surrogatepass"))
    for call in ("status", "run", "verify", "sync"):
        manager = prey.manager(METADATA, path=project, apps=(APP,))
        try:
            outcome(getattr(manager, call), ["S3cr3t"])
        except SystemExit:
            continue
        prey.check()
