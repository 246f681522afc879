"""python -m benchmarks.growth [--only WORD] [--databases sqlite,postgres,mariadb] [--doublings 4] [--scale 1]

How processor time grows with the work: each case is measured at five sizes, each twice the one before. ``growth`` is
the exponent over the last two doublings, 1 being linear and 2 quadratic.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path

import psutil
import sqlalchemy as sa

from benchmarks.databases import Database, databases
from framework_m_migrations import MigrationManager, MigrationSettings

_numbers = count(1)
LINEAR = 1.3
"""An exponent over which a curve is marked."""
REVISION = '''"""number {n}"""
revision, down_revision = "{app}_{n:05}", {below!r}
branch_labels, depends_on = {labels!r}, None
def upgrade(): pass
def downgrade(): pass
'''


@dataclass(slots=True)
class Place:
    """One database and a folder of its own."""

    database: Database
    engine: sa.Engine
    folder: Path

    def manager(self, metadata: sa.MetaData | None, *apps: str) -> MigrationManager:
        """For a model, for apps, or for both."""
        wanted = () if metadata is None else (metadata,)
        return MigrationManager(MigrationSettings(metadata=wanted, apps=apps, path=self.folder), engine=self.engine)


type Prepared = Callable[[], object]
type Case = Callable[[Place, int], Prepared]


def tables(size: int, *, chain: bool = False) -> sa.MetaData:
    """Tables with five columns, an index, a default and a foreign key, to the first table or each to the one before."""
    metadata = sa.MetaData()
    for number in range(size):
        name, target = f"t{number:05}", f"t{max(number - 1, 0) if chain else 0:05}"
        sa.Table(
            name,
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("title", sa.String(80), index=True),
            sa.Column("state", sa.String(20), server_default="new"),
            sa.Column("amount", sa.Numeric(10, 2)),
            sa.Column("parent", sa.ForeignKey(f"{target}.id") if number else sa.Integer),
        )
    return metadata


def first_sync(place: Place, size: int, *, chain: bool = False) -> Prepared:
    return place.manager(tables(size, chain=chain)).sync


def no_op(place: Place, size: int) -> Prepared:
    place.manager(tables(size)).sync()
    return place.manager(tables(size)).sync


def full_plan(place: Place, size: int) -> Prepared:
    place.manager(tables(size)).sync()
    return partial(place.manager(tables(size)).plan, force=True)


def verify(place: Place, size: int) -> Prepared:
    place.manager(tables(size)).sync()
    return place.manager(tables(size)).verify


def create(place: Place, size: int) -> Prepared:
    app = f"made{size}_{next(_numbers)}"
    (place.folder / app / "migrations" / "versions").mkdir(parents=True)
    (place.folder / app / "__init__.py").touch()
    manager = place.manager(tables(size), app)
    return lambda: manager.create("all", app=app, prove=False)


def command(place: Place, size: int, *, words: tuple[str, ...]) -> Prepared:
    """The command as a process, its output to a file."""
    place.manager(tables(1)).sync()
    module = f"models{size}"
    (place.folder / f"{module}.py").write_text(f"from benchmarks.growth import tables\nmetadata = tables({size})\n")
    program = [str(Path(sys.executable).with_name("m-migrate")), *words, "--metadata", f"{module}:metadata"]
    url = place.database.command_url(place.engine)
    path = os.pathsep.join((str(Path(__file__).resolve().parents[1]), str(place.folder)))

    def run() -> None:
        with (place.folder / "output").open("wb") as output:
            subprocess.run(
                [*program, "--database-url", url],
                cwd=place.folder,
                env={**os.environ, "PYTHONPATH": path},
                stdout=output,
                stderr=subprocess.DEVNULL,
                check=True,
            )

    return run


def revisions(place: Place, size: int) -> str:
    """An app with so many revisions that do nothing."""
    app = f"app{size}_{next(_numbers)}"
    folder = place.folder / app / "migrations" / "versions"
    folder.mkdir(parents=True)
    (place.folder / app / "__init__.py").touch()
    for n in range(size):
        below, labels = f"{app}_{n - 1:05}" if n else None, None if n else (app,)
        (folder / f"r{n:05}.py").write_text(REVISION.format(n=n, app=app, below=below, labels=labels))
    return app


def run(place: Place, size: int) -> Prepared:
    return place.manager(None, revisions(place, size)).run


def looked(place: Place, size: int, *, at: str, applied: bool = True) -> Prepared:
    app = revisions(place, size)
    if applied:
        place.manager(None, app).stamp(f"{app}_{size - 1:05}")
    return getattr(place.manager(None, app), at)  # type: ignore[no-any-return]


def labelled(size: int) -> sa.MetaData:
    metadata = sa.MetaData()
    kind = sa.Enum(*(f"label {number}" for number in range(size)), name="kind")
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("kind", kind))
    return metadata


def labels(place: Place, size: int) -> Prepared:
    """Half of an enumeration's labels are there, the other half is added."""
    place.manager(labelled(size // 2)).sync()
    return place.manager(labelled(size)).sync


def wide(size: int, default: str | None) -> sa.MetaData:
    metadata = sa.MetaData()
    columns = [sa.Column(f"c{number}", sa.Integer, server_default=default) for number in range(size)]
    sa.Table("w", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


def defaults(place: Place, size: int) -> Prepared:
    place.manager(wide(size, None)).sync()
    return place.manager(wide(size, "1")).sync


EVERYWHERE = ("sqlite", "postgres", "mariadb")
CASES: dict[str, tuple[Case, int, tuple[str, ...]]] = {
    "sync, new tables": (first_sync, 50, EVERYWHERE),
    "sync, chain of foreign keys": (partial(first_sync, chain=True), 125, EVERYWHERE),
    "sync, nothing to do": (no_op, 50, EVERYWHERE),
    "plan, all tables equal": (full_plan, 50, EVERYWHERE),
    "verify, all tables equal": (verify, 50, EVERYWHERE),
    "create, new tables": (create, 25, EVERYWHERE),
    "m-migrate plan, new tables": (partial(command, words=("plan",)), 50, EVERYWHERE),
    "m-migrate plan --json, new tables": (partial(command, words=("plan", "--json")), 50, EVERYWHERE),
    "run, revisions": (run, 125, EVERYWHERE),
    "status, revisions": (partial(looked, at="status"), 312, EVERYWHERE),
    "history, revisions": (partial(looked, at="history"), 312, ("sqlite",)),
    "verify, revisions": (partial(looked, at="verify"), 312, EVERYWHERE),
    "sync, labels of an enumeration": (labels, 625, EVERYWHERE),
    "sync, defaults of columns": (defaults, 94, ("sqlite", "postgres")),
}
"""What is measured, its smallest size, and on which databases."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One case on one database: seconds of processors, the server's too, and of the clock, by size."""

    case: str
    database: str
    sizes: list[int]
    processor: list[float]
    clock: list[float]

    @property
    def growth(self) -> float:
        """The exponent over the last two doublings, of the processor time: a busy machine changes the other."""
        steps = min(2, len(self.sizes) - 1)
        first, last = self.processor[-1 - steps], self.processor[-1]
        return math.log2(max(last, 0.01) / max(first, 0.01)) / steps


def cpu() -> float:
    """Processor seconds of this process, its children that have ended, and the servers that it started."""
    own = psutil.Process()
    times = [one.cpu_times() for one in (own, *own.children(recursive=True))]
    return float(sum(t.user + t.system + t.children_user + t.children_system for t in times))


def measured(case: Case, database: Database, size: int) -> tuple[float, float]:
    """Processor and clock, each in seconds."""
    engine = database.fresh()
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        try:
            act = case(Place(database, engine, Path(folder)), size)
            before, began = cpu(), time.perf_counter()
            act()
            return cpu() - before, time.perf_counter() - began
        finally:
            sys.path.remove(folder)
            database.drop(engine)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the curves to this file")
    parser.add_argument("--only", default="", help="cases whose name has this word")
    parser.add_argument("--databases", default=",".join(EVERYWHERE), help="comma separated")
    parser.add_argument("--doublings", type=int, default=4)
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes")
    options = parser.parse_args()
    chosen = options.databases.split(",")
    curves: list[Curve] = []
    with databases(chosen, Path(tempfile.mkdtemp(prefix="fmm-bench-"))) as found:
        for name, (case, smallest, where) in CASES.items():
            for database in found:
                if options.only not in name or database.name not in where:
                    continue
                measured(case, database, 4)  # What is imported at the first use is no part of the curve.
                sizes = [max(2, int(smallest * options.scale)) << step for step in range(options.doublings + 1)]
                times = [measured(case, database, size) for size in sizes]
                curve = Curve(name, database.name, sizes, [one[0] for one in times], [one[1] for one in times])
                curves.append(curve)
                shown = "  ".join(
                    f"{size}: {processor:.2f}/{clock:.2f}"
                    for size, processor, clock in zip(sizes, curve.processor, curve.clock, strict=True)
                )
                mark = "  NOT LINEAR" if curve.growth > LINEAR else ""
                print(f"{name} ({database.name})  {shown}  growth {curve.growth:.2f}{mark}", flush=True)
    if options.json is not None:
        document = [{**asdict(curve), "growth": round(curve.growth, 2)} for curve in curves]
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
