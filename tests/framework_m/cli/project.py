"""A Framework M project on disk: apps with their metadata, a database, and the real ``m``."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import sqlalchemy as sa

from scripts.waiting import LIMIT, PROGRAM_LIMIT, next_line, wait_until
from tests.framework_m.apps import HEADER

ROOT = Path(__file__).parents[3]
NUMBERS = itertools.count()
OTHERS = frozenset({"boot", "serve", "prod", "start"})
"""What is no command of ``m migrate``: a boot of the host, its web server, and ``m``'s own commands that start it."""
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "VIRTUAL_ENV")


def thing(fields: str, *, name: str = "Thing", meta: str = "") -> str:
    """The source of a module with one DocType."""
    body = "\n".join(f"    {line}" for line in dedent(fields).strip().splitlines())
    inner = "\n".join(f"        {line}" for line in dedent(meta).strip().splitlines())
    return f"{HEADER}\n\nclass {name}(BaseDocType):\n{body}\n" + (f"\n    class Meta:\n{inner}\n" if meta else "")


class Server:
    """The process that starts commands."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.framework_m.cli.server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={key: value for key, value in os.environ.items() if key in PASSED_ON},
            text=True,
        )
        # On a busy machine its imports take longer than any command, whose time would run meanwhile.
        ready = next_line(self._process, what="the process that starts commands")
        assert ready == "ready\n", "the process that starts commands ended"

    def start(self, job: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=LIMIT)
        self._process.stdout.close()


@dataclass(frozen=True)
class Run:
    """A command that was started."""

    folder: Path
    argv: tuple[str, ...]

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text(encoding="utf-8")

    def wait(self, seconds: float = PROGRAM_LIMIT) -> int:
        rc = self.folder / "rc"
        wait_until(
            rc.exists, what=f"the end of {self.argv}", seen=lambda: self.out + self.err, limit=seconds, every=0.01
        )
        return int((self.folder / "rc").read_text())

    def kill(self) -> None:
        os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)

    def stop(self) -> None:
        """End it, if it has not ended, with the processes that it has started."""
        if not (self.folder / "rc").exists():
            os.killpg(int((self.folder / "pid").read_text()), signal.SIGTERM)
        self.wait()

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Project:
    """A project folder, a site-packages folder with its apps, and a database."""

    folder: Path
    url: str
    plain_url: str
    server: Server
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.site.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)

    @property
    def site(self) -> Path:
        return self.folder / "site-packages"

    @property
    def home(self) -> Path:
        return self.folder / "project"

    def app(self, package: str, files: Mapping[str, str], *, name: str | None = None, plugins: str = "") -> None:
        """Write an app as pip would have installed it; files of a former call stay unless they are named anew."""
        for path, text in {"__init__.py": "app = object()\n", **files}.items():
            file = self.site / package / path
            file.parent.mkdir(parents=True, exist_ok=True)
            for parent in file.relative_to(self.site).parents:
                if parent.parts:
                    (self.site / parent / "__init__.py").touch()
            file.write_text(dedent(text), encoding="utf-8")
        for cache in (self.site / package).rglob("__pycache__"):
            # Two versions of a file written within one second and of one length are one to Python.
            shutil.rmtree(cache)
        self.dist(package, f"[framework_m.apps]\n{name or package} = {package}:app\n{plugins}")

    def dist(self, package: str, entry_points: str) -> None:
        info = self.site / f"{package}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")

    def things(self, fields: str, **options: str) -> None:
        """The app ``shop`` with one DocType ``Thing`` of these fields."""
        self.app("shop", {"doctypes/thing.py": thing(fields, **options)})

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key in PASSED_ON}
        return {**kept, "NO_COLOR": "1", "DATABASE_URL": self.url, **self.env}

    def start(self, *argv: str) -> Run:
        """Start ``m migrate ...``, or another command of OTHERS."""
        job = self.folder / "jobs" / str(next(NUMBERS))
        job.mkdir(parents=True)
        self.server.start(
            {
                "folder": str(job),
                "argv": list(argv) if argv[0] in OTHERS else ["migrate", *argv],
                "cwd": str(self.home),
                "env": self.environment(),
                "path": [str(self.site)],
            }
        )
        return Run(job, argv)

    def m(self, *argv: str, code: int = 0) -> Run:
        """``m migrate ...``, which must end with this exit code."""
        run = self.start(*argv)
        ended = run.wait()
        assert ended == code, f"m migrate {' '.join(argv)}: exit code {ended}\n{run.out}\n{run.err}"
        return run

    def json(self, *argv: str, code: int = 0) -> dict[str, Any]:
        return self.m(*argv, "--json", code=code).json()

    def plan(self) -> list[tuple[str, str, str]]:
        """What a full comparison finds: kind, table, risk."""
        return [(c["kind"], c["table"], c["risk"]) for c in self.json("plan", "--force")["changes"]]

    def withheld(self, *argv: str) -> list[str]:
        """Rules of the changes that a sync leaves."""
        changes = self.json("sync", *argv)["plan"]["changes"]
        return [change["rule"] for change in changes if change["withheld"]]

    def settle(self, *argv: str) -> None:
        """Sync; afterwards a full comparison finds nothing, and verify is content."""
        assert self.withheld(*argv) == []
        assert self.plan() == []

    @property
    def plain(self) -> sa.Engine:
        return sa.create_engine(self.plain_url, poolclass=sa.pool.NullPool)

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.plain.begin() as connection:
            found = connection.execute(sa.text(statement), values)
            return [tuple(row) for row in found] if found.returns_rows else []

    def tables(self, schema: str | None = None) -> set[str]:
        return set(sa.inspect(self.plain).get_table_names(schema=schema))

    def columns(self, table: str = "thing", schema: str | None = None) -> dict[str, dict[str, Any]]:
        return {c["name"]: dict(c) for c in sa.inspect(self.plain).get_columns(table, schema=schema)}

    def insert(self, **values: object) -> None:
        """A row in ``thing``, as code of the present version of the app would write it."""
        metadata = sa.MetaData()
        table = sa.Table("thing", metadata, autoload_with=self.plain)
        standard: dict[str, object] = {"name": str(next(NUMBERS)), "custom_fields": {}, "id": _id()}
        now = "2024-01-01 00:00:00"
        standard |= {"creation": _moment(now), "modified": _moment(now), "owner": "a", "modified_by": "a"}
        chosen = {k: v for k, v in {**standard, **values}.items() if k in table.columns}
        typed = sa.table("thing", *(sa.column(k) for k in chosen))
        literal = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in chosen.items()}
        with self.plain.begin() as connection:
            if self.plain.dialect.name == "postgresql":
                connection.execute(sa.insert(table), [chosen])
            else:
                connection.execute(sa.insert(typed), [{k: _text(v) for k, v in literal.items()}])

    def revisions(self, app: str = "shop") -> list[Path]:
        return sorted((self.site / app / "migrations" / "versions").glob("*.py"))


def _id() -> Any:
    from uuid import uuid4

    return uuid4()


def _moment(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(f"{text}+00:00")


def _text(value: object) -> object:
    if hasattr(value, "hex") and not isinstance(value, float | bytes):
        return value.hex
    return str(value) if hasattr(value, "isoformat") else value
