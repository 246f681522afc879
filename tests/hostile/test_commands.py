"""The program itself: whatever it is given, it ends with a documented code and shows no traceback and no password."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests._postgres import PostgresServer
from tests.hostile.outcome import Log, Shown, command
from tests.hostile.texts import hostile
from tests.support.profile import cases

CORE = "S3cr3tW0rd"
MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("customer", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("password", sa.Text))
"""
COMMANDS = (
    ("all",), ("sync",), ("sync", "--dry-run"), ("sync", "--sql"), ("plan",), ("verify",), ("run",), ("status",),
    ("history",), ("repair", "--yes"), ("stamp", "head", "--yes"), ("rollback",), ("create", "x", "--app", "nowhere"),
    ("init",),
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "command_models.py").write_text(MODELS, encoding="utf-8")
    before = list(sys.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder
    sys.path[:] = before
    sys.modules.pop("command_models", None)


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with Log.of_everything() as made:
        yield made


def run(project: Path, arguments: tuple[str, ...], flags: tuple[str, ...], environ: dict[str, str]) -> Shown:
    (project / "alembic.ini").unlink(missing_ok=True)
    return command([*arguments, *flags, "--path", str(project), "--metadata", "command_models:metadata"], environ)


flags = st.sampled_from(((), ("--json",), ("-v",), ("--json", "-v"), ("--quiet",)))
odd = st.text(st.sampled_from("a1 @:/?#%&=+'\"\\;[]{}$!é~"), max_size=3)
secrets = st.builds("{}{}{}".format, odd, st.just(CORE), odd)


@settings(max_examples=cases(20, 800), suppress_health_check=[HealthCheck.too_slow])
@given(chosen=st.sampled_from(COMMANDS), shown=flags, secret=secrets, way=st.sampled_from(
    ("password", "query", "PGPASSWORD", "user", "database", "psycopg", "option"))
)  # fmt: skip
def test_a_password_that_does_not_fit_is_never_shown(
    project: Path, log: Log, postgres_server: PostgresServer, chosen: tuple[str, ...], shown: tuple[str, ...],
    secret: str, way: str,
) -> None:  # fmt: skip
    """A real server that refuses: by the password, the user, the database."""
    right = sa.make_url(postgres_server.url("postgres"))
    bare = sa.URL.create(right.drivername, right.username, None, right.host, right.port, right.database)
    environ, given_flags = {}, shown
    url = right.set(password=secret)
    if way == "query":
        url = bare.update_query_dict({"password": secret})
    elif way == "PGPASSWORD":
        url, environ = bare, {"PGPASSWORD": secret}
    elif way == "user":
        url = url.set(username="nobody_at_all")
    elif way == "database":
        url = url.set(database="nowhere_at_all")
    elif way == "psycopg":
        url = url.set(drivername="postgresql+psycopg")
    text = url.render_as_string(hide_password=False)
    if way == "option":
        given_flags = (*shown, "--database-url", text)
    else:
        environ["DATABASE_URL"] = text
    result = run(project, chosen, given_flags, environ)
    result.check([CORE], json_wanted="--json" in shown)
    assert chosen[0] == "init" or result.code != 0 or way == "database" or chosen[0] == "create", result
    assert CORE not in log.text()


@settings(max_examples=cases(20, 800), suppress_health_check=[HealthCheck.too_slow])
@given(
    chosen=st.sampled_from(COMMANDS),
    shown=flags,
    option=st.sampled_from((
        "--database-url", "--metadata", "--apps", "--schema", "--version-table", "--mode", "--lock-wait",
        "--lock-timeout", "--lock-retries", "--path", "--nonsense", "",
    )),
    value=hostile,
)  # fmt: skip
def test_any_option_with_any_value(
    project: Path, chosen: tuple[str, ...], shown: tuple[str, ...], option: str, value: str
) -> None:
    """On a SQLite file; what the shell cannot pass (a NUL, half a character) is passed all the same."""
    environ = {"DATABASE_URL": "sqlite:///command.db"}
    given_flags = (*shown, option, value) if option else (*shown, value)
    result = run(project, chosen, given_flags, environ)
    result.check(json_wanted="--json" in shown)
    assert sorted(path.name for path in project.parent.iterdir() if path.name.startswith("outside")) == []


@pytest.mark.parametrize("value", ["--help", "-h", "--version"])
@pytest.mark.parametrize("command_line", [("status",), ("repair", "--yes", "--lock-timeout"), ()], ids=str)
def test_help_and_version_are_json_where_json_is_asked_for(command_line: tuple[str, ...], value: str) -> None:
    """What a random run found: `--lock-timeout -h --json` gave the help as plain text."""
    shown = command([*command_line, "--json", value])
    shown.check(json_wanted=True)
    document = json.loads(shown.out)
    assert list(document) == (["version"] if value == "--version" else ["help"])
    assert "m-migrate" in next(iter(document.values()))
