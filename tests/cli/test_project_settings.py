"""What a project's file, the environment and the options say together; what is named, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli._program import BASE, WITH_NOTE, Project

TABLE = "[tool.framework-m-migrations]\n"
SHARED = """
import sqlalchemy as sa
from models import metadata
key = sa.Column("id", sa.Integer, primary_key=True)
sa.Table("orders", metadata, key, sa.Column("customer", sa.ForeignKey("customer.id")))
"""


def say(project: Project, text: str, file: str = "pyproject.toml") -> None:
    (project.path / file).write_text(text, encoding="utf-8")


def bare(project: Project, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run without the option --metadata, which the other helpers add."""
    done = project.server.once(list(arguments), project.path, project.environment(env))
    return done.code, done.out, done.err


def test_a_project_needs_no_options(project: Project) -> None:
    (project.path / "data").mkdir()
    say(project, TABLE + 'metadata = "models:metadata"\ndatabase-url = "sqlite:///data/own.db"\nlock-timeout = "2s"\n')
    code, _, err = bare(project, "sync")
    assert (code, (project.path / "data" / "own.db").exists()) == (0, True)
    assert "Database sqlite:///" in err
    assert err.rstrip().endswith("data/own.db")
    # From elsewhere the file of the URL is still the project's own.
    elsewhere = project.server.once(["plan", "--path", str(project.path), "--json"], Path("/"), project.environment())
    assert elsewhere.json["empty"] is True
    assert elsewhere.json["database"].endswith("data/own.db")
    assert not (project.path / "dev.db").exists()


def test_options_win_over_the_environment_and_that_over_the_file(project: Project) -> None:
    say(
        project,
        TABLE + 'metadata = ["models:metadata"]\ndatabase-url = "sqlite:///file.db"\nlock-retries = 3\n'
        '[tool.framework-m-migrations.env.prod]\nlock-retries = 5\nschema = "main"\n',
    )

    def shown(*options: str, **env: str) -> dict[str, tuple[str, str]]:
        done = project.server.once(["config", "--json", *options], project.path, project.environment(env))
        return {name: (one["value"], one["origin"]) for name, one in done.json["settings"].items()}

    plain = shown()
    assert plain["lock-retries"] == ("3", "pyproject.toml, [tool.framework-m-migrations]")
    assert plain["lock-timeout"] == ("0.5 s", "default")
    assert plain["schema"] == ("-", "default")
    environment = shown(DATABASE_URL="postgresql://me:s3cret@db/shop", FRAMEWORK_M_MIGRATIONS_ENV="prod")
    assert environment["database-url"] == ("postgresql://me:***@db/shop", "the environment variable DATABASE_URL")
    assert environment["lock-retries"] == ("5", "pyproject.toml, [tool.framework-m-migrations.env.prod]")
    option = shown("--env", "prod", "--lock-retries", "7", "--database-url", "sqlite:///x.db", DATABASE_URL="sqlite://")
    assert (option["lock-retries"], option["schema"][0]) == (("7", "an option"), "main")
    assert option["database-url"] == ("sqlite:///x.db", "an option")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('databse-url = "x"', ("databse-url", "Did you mean 'database-url'?")),
        ("metadata = 3", ("metadata", "a text, or a list of texts")),
        ('lock-timeout = "0"', ("lock-timeout", "at least 1ms")),
        ("lock-retries = true", ("lock-retries", "a whole number")),
        ('mode = "quick"', ("mode", "one of async, sync")),
        ("metadata = [", ("pyproject.toml cannot be read",)),
        ('[tool.framework-m-migrations.env.prod]\nlock-wiat = "1s"', ("env.prod", "lock-wait")),
    ],
)
def test_what_the_file_gets_wrong_is_named(project: Project, text: str, words: tuple[str, ...]) -> None:
    say(project, TABLE + text + "\n")
    code, _, err = bare(project, "plan")
    assert code == 2
    assert [word for word in words if word not in err] == []


def test_an_environment_that_the_file_lacks_is_refused(project: Project) -> None:
    say(project, "[env.test]\n[env.prod]\n", "m-migrate.toml")
    done = project.run("plan", "--env", "prdo")
    assert done.code == 2
    assert "m-migrate.toml has test, prod" in done.err
    assert project.run("plan", "--env", "test").code == 0


def test_a_file_of_other_tools_may_be_as_broken_as_it_likes(project: Project) -> None:
    say(project, "[tool.other\n")
    assert project.run("plan").code == 0


def test_version_folders_are_joined(project: Project) -> None:
    project.app("shop")
    folder = project.path / "db" / "revisions"
    folder.mkdir(parents=True)
    text = 'revision, down_revision, branch_labels, depends_on = "ff01", None, None, None\n'
    (folder / "ff01.py").write_text(text + "def upgrade(): pass\ndef downgrade(): pass\n", encoding="utf-8")
    say(project, TABLE + 'apps = "shop"\nversion-folders = "db/revisions"\n')
    assert project.run("run", "--json").json["revisions"] == ["ff01"]
    assert project.run("create", "more", "--app", "shop").code == 0
    assert len(list(folder.glob("*.py"))) == 2


def test_metadata_without_tables_is_no_success(project: Project) -> None:
    project.models(BASE + "empty = sa.MetaData()\n")
    for command, code in (("plan", 2), ("sync", 2), ("all", 2), ("verify", 3)):
        done = project.run(command, "--metadata", "models:empty")
        assert done.code == code
        assert "The MetaData models:empty has no table." in " ".join((done.err + done.out).split())
        assert "CLEAN" not in done.out
        assert project.run(command, "--metadata", "models:empty", "--allow-empty").code == 0


def test_metadata_that_two_modules_share_counts_once(project: Project) -> None:
    say(project, SHARED, "orders.py")
    done = project.run("plan", "--metadata", "models:metadata,orders:metadata", "--json")
    assert [change["table"] for change in done.json["changes"]] == ["customer", "orders"]


def test_the_default_database_is_named(project: Project) -> None:
    for command in ("sync", "plan", "verify", "all", "history"):
        assert "dev.db (the default: no database was named)" in project.run(command).err
        assert project.run(command, "--json").json["database"].endswith("dev.db")
        assert project.run(command, "--quiet").err == ""


def test_without_a_terminal_drops_need_consent(drifted: Project) -> None:
    refused = drifted.run("sync", "--allow-drop")
    assert refused.code == 2
    assert "To be dropped" in refused.out
    assert "M104" in refused.err
    assert "--yes" in refused.err
    assert "old" in drifted.tables()
    assert drifted.columns("customer") == ["id", "title"]


def test_help_is_there_for_the_asking(project: Project) -> None:
    alone, asked = (project.server.once(list(given), project.path, {}) for given in ((), ("--help",)))
    assert (alone.code, alone.out) == (0, asked.out)
    assert "Usage" in alone.out
    code, out, _ = bare(project, "help", "sync")
    assert (code, "--allow-drop" in out) == (0, True)
    assert bare(project, "-V") == bare(project, "--version")


def test_a_change_in_a_result_reads_as_a_sentence(project: Project) -> None:
    from framework_m_migrations import MigrationManager, MigrationSettings

    project.run("sync")
    project.models(WITH_NOTE)
    space: dict[str, object] = {}
    exec(WITH_NOTE, space)
    settings = MigrationSettings(f"sqlite:///{project.file}", metadata=space["metadata"])  # type: ignore[arg-type]
    result = MigrationManager(settings).plan()
    assert [str(change) for change in result.changes] == ["customer: new column note TEXT"]
    assert [str(change) for change in result.plan.changes] == ["customer: new column note TEXT"]
