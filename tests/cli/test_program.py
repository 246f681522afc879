"""The program as a whole: entry point, exit codes, streams, start-up, interruption, secrets."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from framework_m_migrations import __version__
from framework_m_migrations.cli import main
from scripts.waiting import LIMIT, PROGRAM_LIMIT, wait_until
from tests.cli._program import BASE, PROGRAM, WITH_NOTE, Project

ESCAPE = "\x1b"
APPS = ("--apps", "shop,stock")
EVERY = [
    ("all",),
    ("sync",),
    ("sync", "--dry-run"),
    ("plan",),
    ("verify",),
    ("run",),
    ("create", "m", "--app", "shop", "--dry-run", "--no-autogenerate"),
    ("rollback",),
    ("status",),
    ("history",),
    ("init",),
    ("stamp", "heads", "--dry-run"),
    ("repair", "--dry-run"),
]


def test_the_console_script_is_installed_and_tells_its_version(project: Project) -> None:
    script = Path(sys.executable).with_name("m-migrate")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False, timeout=PROGRAM_LIMIT)
    assert (done.returncode, done.stdout) == (0, f"m-migrate {__version__}\n")


def test_bash_completes_commands_and_options(project: Project) -> None:
    script = project.run("completion", "bash").out
    function = "f=$(complete -p m-migrate | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
    ask = f"COMP_WORDS=(m-migrate ver); COMP_CWORD=1; {function}; $f; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True, timeout=PROGRAM_LIMIT
    )
    assert done.stdout.split() == ["verify"]


@pytest.mark.slow
def test_help_of_the_program_and_of_each_command(project: Project) -> None:
    top = project.run("--help", env={"FORCE_COLOR": "1"})
    assert top.code == 0
    assert ESCAPE not in top.out
    for command in {arguments[0] for arguments in EVERY}:
        assert f"\n  {command}: " in top.out
        own = project.run(command, "--help")
        assert own.code == 0
        for option in ("--database-url", "--lock-timeout", "--json", "--no-color"):
            assert option in own.out


@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_json_is_one_document_and_pipes_are_plain(apps: Project, arguments: tuple[str, ...]) -> None:
    plain = apps.run(*arguments, *APPS, env={"FORCE_COLOR": "1"})
    assert plain.code in {0, 3}
    assert plain.out
    assert ESCAPE not in plain.out + plain.err
    if arguments == ("init",):
        (apps.path / "alembic.ini").unlink()
        for file in (apps.path / "alembic").iterdir():
            file.unlink()
    shown = apps.run(*arguments, *APPS, "--json")
    assert shown.code == plain.code
    assert shown.json["command"] == arguments[0]
    assert shown.err == ""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_quiet_shows_nothing(apps: Project, arguments: tuple[str, ...]) -> None:
    done = apps.run(*arguments, *APPS, "--quiet")
    assert done.code in {0, 3}
    assert (done.out, done.err) == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("json_wanted", [False, True])
@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_a_failure_is_one_error_with_code_cause_and_next_step(
    apps: Project, arguments: tuple[str, ...], json_wanted: bool
) -> None:
    done = apps.run(*arguments, "--apps", "absent", "--quiet", *(("--json",) if json_wanted else ()))
    assert done.code == 2
    assert done.err.startswith("Error M110: ")
    assert "\nNext: " in done.err
    assert "Traceback" not in done.err
    if json_wanted:
        assert set(done.json) - {"database"} == {"error"}
        assert {"code", "what", "next_step"} <= set(done.json["error"])
    else:
        assert done.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("sync", "--nonsense"),
        ("sync", "surplus"),
        ("--database-url", "sqlite://", "sync"),
        ("sync", "--mode", "cluster"),
        ("sync", "--lock-wait", "soon"),
        ("sync", "--lock-timeout", "0"),
        ("sync", "--max-lock-time", "0ms"),
        ("sync", "--lock-retries", "-1"),
        ("sync", "--lock-retries", "many"),
        ("sync", "--database-url", ""),
        ("sync", "--database-url"),
        ("sync", "--apps", ""),
        ("sync", "--metadata", ""),
        ("sync", "--path", "absent"),
        ("sync", "--schema", ""),
        ("sync", "--sql", "--json"),
        ("sync", "--sql", "--allow-drop"),
        ("verify", "--fail-on", "always"),
        ("verify", "--strict", "--fail-on", "breaking"),
        ("rollback", "--steps", "0"),
        ("rollback", "--steps", "1", "--to", "base"),
        ("create", "m"),
        ("stamp",),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_usage_and_touches_nothing(project: Project, arguments: tuple[str, ...]) -> None:
    environment = project.environment()
    for extra in ((), ("--json",)):
        # The models are left out here, for they would be an argument more.
        done = project.server.once([*arguments, *extra], project.path, environment)
        assert done.code == 2
        assert done.err.startswith("Error M")
        assert done.out == "" or set(done.json) - {"database"} == {"error"}
    assert not project.file.exists()


def test_usage_errors_are_json_too_and_hide_passwords(project: Project) -> None:
    done = project.run("sync", "--lock-wait", "postgresql://app:s3cret@h/db", "--json")
    assert done.code == 2
    assert done.json["error"]["code"] == "M103"
    assert "s3cret" not in done.out + done.err


def test_main_takes_arguments_and_returns_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"m-migrate {__version__}\n"
    assert main(["nonsense"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "M103" in captured.err


def imported_by(project: Project, *arguments: str) -> set[str]:
    """Top-level packages that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], *project.arguments(arguments)],
        cwd=project.path,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_LIMIT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [row for row in done.stderr.splitlines() if row.startswith("import time:")]
    return {row.split("|")[2].strip().split(".")[0] for row in lines}


@pytest.mark.slow
def test_help_and_version_import_no_sqlalchemy(project: Project) -> None:
    (project.path / "models.py").unlink()
    for arguments in (("--version",), ("--help",), ("sync", "--help")):
        assert not {"sqlalchemy", "alembic", "asyncpg"} & imported_by(project, *arguments)
    assert "rich" not in imported_by(project, "--version")


@pytest.mark.slow
def test_a_sync_without_work_imports_no_alembic_and_in_a_pipe_no_rich(project: Project) -> None:
    project.run("sync")
    imported = imported_by(project, "sync")
    assert "sqlalchemy" in imported
    assert not {"alembic", "asyncpg", "aiosqlite", "dependency_injector", "rich"} & imported


@pytest.mark.slow
def test_a_terminal_gets_colours_unless_they_are_not_wanted(drifted: Project) -> None:
    colourful = drifted.run_on_terminal("plan")
    assert f"{ESCAPE}[32m● SAFE" in colourful.out
    assert f"{ESCAPE}[33m▲ WARNING" in colourful.out
    assert f"{ESCAPE}[1;31m✖ BREAKING" in colourful.out
    for plain in (
        drifted.run_on_terminal("plan", "--no-color"),
        drifted.run_on_terminal("plan", env={"NO_COLOR": "1"}),
    ):
        assert ESCAPE not in plain.out
        assert "● SAFE" in plain.out
    assert ESCAPE not in drifted.run_on_terminal("plan", env={"TERM": "dumb"}).out


def test_json_on_a_terminal_is_json(project: Project) -> None:
    assert json.loads(project.run_on_terminal("plan", "--json").out)["command"] == "plan"


def test_what_apps_and_hooks_print_does_not_spoil_json(project: Project) -> None:
    project.models("print('models talk')\n" + BASE)
    project.app("shop")
    (project.path / "shop" / "migrations" / "__init__.py").write_text(
        "def before_sync():\n    print('a hook talks')\n", encoding="utf-8"
    )
    done = project.run("sync", "--apps", "shop", "--json")
    assert done.json["applied"] is True
    assert "models talk" in done.err
    assert "a hook talks" in done.err


@pytest.mark.parametrize("statement", ["import sys; sys.exit(0)", "raise KeyError('x')", "import nothing_of_that_name"])
def test_models_that_fail_or_end_the_program_are_a_failure(project: Project, statement: str) -> None:
    project.models(statement)
    done = project.run("sync")
    assert done.code in {1, 2}
    assert done.err.startswith("Error M")
    assert "Traceback" not in done.err
    assert not project.file.exists() or project.tables() == set()


def test_verbose_tells_each_step_and_shows_tracebacks(project: Project) -> None:
    done = project.run("sync", "-v")
    assert done.code == 0
    assert "Step 1 of 1: create table customer" in done.err
    project.models("raise KeyError('deep inside')")
    for flag in ("-v", "--verbose", "--debug"):
        assert "deep inside" in project.run("sync", flag).err


@pytest.mark.slow
def test_another_migrator_that_holds_the_lock_is_exit_code_4(project: Project) -> None:
    project.run("sync")
    project.models(WITH_NOTE)
    project.app("shop")
    (project.path / "shop" / "migrations" / "__init__.py").write_text(SLOW, encoding="utf-8")
    command = [*PROGRAM, *project.arguments(("sync", "--apps", "shop"))]
    holder = subprocess.Popen(command, cwd=project.path, env=project.environment(), stdout=subprocess.DEVNULL)
    try:
        wait_for(project.path / "started")
        refused = project.run("sync", "--lock-wait", "200ms", "--json")
        assert refused.code == 4
        assert refused.json["error"]["code"] == "M211"
        assert "Waiting for another migrator" in refused.err
        assert project.run("sync", "--dry-run").code == 0
        assert project.run("status", "--json").code == 0
    finally:
        holder.terminate()
        holder.wait(timeout=LIMIT)
    # The holder died without cleaning up; its lock died with it.
    assert project.run("sync", "--lock-wait", "5s").code == 0
    assert project.columns("customer") == ["id", "title", "note"]


SLOW = "import time\ndef before_sync():\n    open('started', 'w').close()\n    time.sleep(600)\n"
SLOW_ASYNC = (
    "import asyncio\nasync def before_sync():\n    open('started', 'w').close()\n    await asyncio.sleep(600)\n"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "hook"), [("sqlite:///dev.db", SLOW), ("sqlite+aiosqlite:///dev.db", SLOW_ASYNC)], ids=["sync", "async"]
)
def test_ctrl_c_is_one_message_exit_code_130_and_the_work_resumes(project: Project, url: str, hook: str) -> None:
    project.app("shop")
    file = project.path / "shop" / "migrations" / "__init__.py"
    file.write_text(hook, encoding="utf-8")
    # A shell that starts the tests in the background makes children ignore the signal; "env" puts that right.
    command = ["env", "--default-signal=INT", *PROGRAM]
    running = subprocess.Popen(
        [*command, *project.arguments(("sync", "--apps", "shop", "--json", "--database-url", url))],
        cwd=project.path,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(project.path / "started")
    os.kill(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=LIMIT)
    assert running.returncode == 130, err
    assert json.loads(out)["error"]["code"] == "M901"
    assert err.startswith("Error M901: Interrupted.")
    assert "Traceback" not in err
    assert "customer" not in project.tables()
    file.write_text("", encoding="utf-8")
    assert project.run("sync", "--apps", "shop", "--database-url", url, "--lock-wait", "0").code == 0


def wait_for(file: Path) -> None:
    wait_until(file.exists, what=f"the hook to write {file.name}")


@pytest.mark.slow
def test_output_that_the_encoding_lacks_is_escaped_and_sql_is_refused(project: Project) -> None:
    project.models(BASE.replace('"title"', '"größe"'))
    narrow = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    assert "gr\\xf6\\xdfe" in project.run_whole("plan", env=narrow).out
    refused = project.run_whole("sync", "--sql", env=narrow)
    assert (refused.code, refused.out) == (1, "")
    assert "M106" in refused.err
    assert "größe" in project.run_whole("sync", "--sql").out


@pytest.mark.slow
def test_names_cannot_send_codes_to_the_terminal(project: Project) -> None:
    project.run("sync")
    project.query('CREATE TABLE "a\x1b[2Jb" (id INTEGER)')
    for done in (project.run("verify"), project.run_on_terminal("verify", "--no-color")):
        assert done.code == 3
        assert ESCAPE not in done.out
        assert r"a\x1b[2Jb" in done.out


def test_a_reader_that_stops_reading_does_not_fail_the_work(project: Project) -> None:
    command = [*PROGRAM, *project.arguments(("sync",))]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            command,
            cwd=project.path,
            env=project.environment(),
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
            timeout=PROGRAM_LIMIT,
        )
    assert done.returncode == 0
    assert done.stderr.splitlines() == [b"Database sqlite:///dev.db (the default: no database was named)"]
    assert "customer" in project.tables()


def test_settings_come_from_the_environment_and_options_come_first(apps: Project) -> None:
    env = {"INSTALLED_APPS": "stock,shop", "DATABASE_URL": "sqlite:///from_env.db"}
    assert apps.run("run", env=env).code == 0
    assert (apps.path / "from_env.db").exists()
    assert not apps.file.exists()
    given = apps.run("run", "--database-url", "sqlite:///dev.db", "--apps", "shop", "--json", env=env)
    assert given.json["revisions"] == ["aa01", "aa02"]
    assert "t_bb01" not in apps.tables()


def test_path_version_table_mode_and_no_online(apps: Project, tmp_path: Path) -> None:
    elsewhere = Project(tmp_path / "elsewhere", apps.server)
    elsewhere.path.mkdir()
    arguments = ("--path", str(apps.path), *APPS, "--metadata", "models:metadata")
    done = elsewhere.run("all", *arguments, "--version-table", "my_versions", "--mode", "sync", "--no-online")
    assert done.code == 0
    assert {"customer", "t_aa01", "my_versions"} <= apps.tables()
    assert "alembic_version" not in apps.tables()


def test_an_asynchronous_driver_serves_as_well(apps: Project) -> None:
    url = ("--database-url", "sqlite+aiosqlite:///dev.db")
    assert apps.run("all", *APPS, *url).code == 0
    assert apps.run("verify", *APPS, "--database-url", "sqlite:///dev.db").code == 3
    assert {"customer", "t_bb01"} <= apps.tables()
    assert apps.run("rollback", *APPS, *url, "--json").json["revisions"] == ["bb01"]


def test_a_file_that_is_no_database_is_left_alone(project: Project) -> None:
    project.file.write_text("this is no database at all, only some text that is long enough" * 40, encoding="utf-8")
    before = project.file.read_bytes()
    done = project.run("sync")
    assert done.code == 1
    assert "M205" in done.err
    assert project.file.read_bytes() == before


def test_nothing_stays_locked_after_a_command(project: Project) -> None:
    project.run("sync")
    with closing(sqlite3.connect(project.file)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        connection.rollback()
