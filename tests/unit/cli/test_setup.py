"""``init``: the settings of a new project are found, asked for and written."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from framework_m_migrations.adapters.filesystem.declarations import find_declarations
from framework_m_migrations.cli import main
from framework_m_migrations.cli.output import Output
from framework_m_migrations.cli.setup import set_up
from framework_m_migrations.container.settings import MigrationSettings
from tests.unit.cli._made import Terminal

PLAIN = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
REVISION = 'revision, down_revision = "aa01", None\ndef upgrade(): pass\ndef downgrade(): pass\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "INSTALLED_APPS", "FRAMEWORK_M_MIGRATIONS_METADATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "models_of_setup", raising=False)
    return tmp_path


def written(project: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    return project


@pytest.mark.parametrize(
    ("files", "metadata", "frameworks"),
    [
        ({"shop/models.py": PLAIN}, ("shop.models:Base",), ()),
        ({"src/shop/models.py": PLAIN, "setup.py": "x = 1"}, ("shop.models:Base",), ()),
        (
            {
                "db.py": "from sqlalchemy.orm import declarative_base\nBase = declarative_base()",
                "a.py": "import db\nclass A(db.Base):\n    __tablename__ = 'a'",
                "b.py": "from db import Base\nclass B(Base):\n    __tablename__ = 'b'",
            },
            ("a:A", "b:Base"),
            (),
        ),
        (
            {"main.py": "from sqlmodel import SQLModel\nclass Hero(SQLModel, table=True):\n    id: int\n"},
            ("main:SQLModel",),
            ("SQLModel",),
        ),
        ({"main.py": "from sqlmodel import SQLModel\nclass HeroRead(SQLModel):\n    id: int\n"}, (), ()),
        (
            {
                "ext.py": "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()",
                "models.py": "from ext import db\nclass User(db.Model):\n    pass\n",
            },
            ("models:db",),
            ("Flask-SQLAlchemy",),
        ),
        (
            {"models.py": "from advanced_alchemy.base import UUIDBase\nclass A(UUIDBase):\n    pass\n"},
            ("models:A",),
            ("advanced-alchemy",),
        ),
        ({"tables.py": "import sqlalchemy as sa\nmeta = sa.MetaData()\nt = sa.Table('t', meta)"}, ("tables:meta",), ()),
        ({"tests/models.py": PLAIN, "venv/pyvenv.cfg": "", "venv/m.py": PLAIN, "broken.py": "def ("}, (), ()),
    ],
)
def test_models_are_found(
    tmp_path: Path, files: dict[str, str], metadata: tuple[str, ...], frameworks: tuple[str, ...]
) -> None:
    found = find_declarations(written(tmp_path, files))
    assert (found.metadata, found.frameworks) == (metadata, frameworks)


def test_settings_are_written_and_used(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(project, {"models_of_setup.py": PLAIN, "pyproject.toml": '[project]\nname = "x"'})
    assert main(["init"]) == 0
    assert "1 table" in capsys.readouterr().out
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    assert settings["project"] == {"name": "x"}
    assert settings["tool"]["framework-m-migrations"] == {
        "metadata": ["models_of_setup:Base"],
        "apps": ["models_of_setup"],
    }
    assert main(["plan", "--json"]) == 0
    assert [change["table"] for change in json.loads(capsys.readouterr().out)["changes"]] == ["item"]
    before = (project / "pyproject.toml").read_text()
    assert main(["init", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "M100"
    assert (project / "pyproject.toml").read_text() == before


def test_a_history_of_flask_migrate_is_joined(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flask = {"migrations/alembic.ini": "[alembic]\n", "migrations/env.py": "", "migrations/versions/aa01.py": REVISION}
    written(project, {"models_of_setup.py": PLAIN, **flask})
    assert main(["init"]) == 0
    assert "Joins the history" in capsys.readouterr().out
    assert not (project / "alembic.ini").exists()
    assert main(["history", "--json"]) == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)["revisions"]] == ["aa01"]


def test_without_models_and_terminal_nothing_is_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 2
    assert "--metadata" in capsys.readouterr().err
    assert main(["init", "--metadata", "nowhere:metadata"]) == 2
    assert list(project.iterdir()) == []


def test_on_a_terminal_the_answers_count(project: Path) -> None:
    written(project, {"models_of_setup.py": PLAIN})
    asked = Terminal()
    output = Output(stdin=Terminal("models_of_setup:Item\n\n"), stderr=asked)
    set_up(MigrationSettings(path=project), output)
    assert "[models_of_setup:Base]" in asked.getvalue()
    settings = tomllib.loads((project / "m-migrate.toml").read_text())
    assert settings == {"metadata": ["models_of_setup:Item"], "apps": ["models_of_setup"]}


@pytest.mark.parametrize(("url", "kept"), [("sqlite:///x.db", True), ("postgresql://u:s3cret@h/d", False)])
def test_a_password_is_not_written(project: Path, url: str, kept: bool) -> None:
    written(project, {"models_of_setup.py": PLAIN})
    done = set_up(MigrationSettings(path=project, database_url=url), Output())
    text = (project / "m-migrate.toml").read_text()
    assert ("database-url" in text, "s3cret" in text) == (kept, False)
    assert any("DATABASE_URL" in remark for remark in done.remarks) is not kept
