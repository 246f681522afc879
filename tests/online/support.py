"""Revisions made of helpers, and who else uses the table meanwhile."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from tests.versions.support import Bench

_NUMBERS = itertools.count(1)
MEANWHILE: list[Callable[[], object]] = []
"""What a revision of a test calls in its middle."""


class Revisions:
    """Adds revisions to one app, each on the one before, and applies them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.last: str | None = None
        self._before: str | None = None

    def write(self, upgrade: str, downgrade: str = "pass") -> str:
        """A revision file; its functions see ``op``, ``sa`` and ``online``."""
        name = f"{next(_NUMBERS):012x}"
        source = "from framework_m_migrations import online\n"
        self.bench.apps.revision(
            "wms",
            name,
            source + textwrap.dedent(upgrade),
            source + textwrap.dedent(downgrade),
            down=self.last,
        )
        self._before, self.last = self.last, name
        return name

    def up(self, upgrade: str, downgrade: str = "pass") -> str:
        """Write a revision and apply it."""
        name = self.write(upgrade, downgrade)
        self.bench.track().upgrade(name)
        assert not self.bench.connection.in_transaction()
        return name

    def forget(self) -> None:
        """Take the last revision's file away, as if it had never been written."""
        [file] = (self.bench.apps.root / "wms" / "migrations" / "versions").glob(f"{self.last}_*.py")
        file.unlink()
        self.last = self._before

    def down(self, name: str) -> None:
        """Take it back."""
        self.bench.track().downgrade(name)


@contextmanager
def held(bench: Bench, *statements: str) -> Iterator[sa.Connection]:
    """Another session, with what the statements locked still locked."""
    engine = sa.create_engine(bench.connection.engine.url, poolclass=sa.NullPool)
    with engine.connect() as other:
        for statement in statements:
            other.exec_driver_sql(statement)
        yield other
        other.rollback()
    engine.dispose()
