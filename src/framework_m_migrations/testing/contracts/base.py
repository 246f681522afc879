"""The base of all contract classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Never

import pytest

from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import NOT_APPLICABLE
from framework_m_migrations.testing.tables import Builder


class MissingFixture(Exception):
    """A contract class was used without the fixture that it needs."""


def missing(suite: object, fixture: str, protocol: str) -> Never:
    """Fail with words that help: a contract that cannot run proves nothing and must not look as if it had."""
    raise MissingFixture(
        f"{type(suite).__name__} needs a fixture {fixture!r}. Write one, in the class or in a base class that stands "
        f"before the contract, that returns an object with the methods of framework_m_migrations.testing.{protocol}."
    )


class Deliberate(Exception):
    """Raised by tests on purpose; no adapter knows it."""


def _fail() -> None:
    raise Deliberate


@contextmanager
def failing(scope: AbstractContextManager[None]) -> Iterator[None]:
    """A scope, such as a transaction, whose block fails at its end.

    Raises:
        AssertionError: the scope swallowed the exception.
    """
    try:
        with scope:
            yield
            _fail()
    except Deliberate:
        return
    raise AssertionError("an exception did not leave the scope")


class ContractSuite:
    """What contract classes share.

    Attributes:
        adapter: the adapter's name in reports; the name of the test class when empty.
    """

    adapter: ClassVar[str] = ""

    @pytest.fixture(autouse=True)
    def _remember_test(self, request: pytest.FixtureRequest) -> None:
        self._properties: list[tuple[str, Any]] = request.node.user_properties

    def not_applicable(self, reason: str) -> None:
        """Say in the report that this obligation does not concern the adapter; the test then ends.

        Args:
            reason: the capability that it lacks.
        """
        self._properties.append((NOT_APPLICABLE, reason))


class DatabaseContract(ContractSuite):
    """A contract over live sessions. Fixture: ``harness``, see testing.Harness."""

    @pytest.fixture
    def harness(self) -> Harness:
        """One empty database of the adapter's kind."""
        missing(self, "harness", "Harness")

    @pytest.fixture
    def build(self, harness: Harness) -> Builder:
        """Builds tables in the adapter's spelling."""
        return Builder(harness.types)

    def able(self, harness: Harness, capability: str) -> bool:
        """Whether the database has a capability; where not, the report names it and the test ends."""
        has: bool = harness.run(lambda session: bool(getattr(session.capabilities, capability)))
        if not has:
            self.not_applicable(capability)
        return has


def database_contracts(database: type, *, life: bool = True) -> dict[str, type]:
    """The contract classes of a database, for ``globals().update(...)`` in a test module.

    Args:
        database: a class with the fixture ``harness``, and the attribute ``adapter``, its name in reports.
        life: with LifeContract, which goes through a synchronous driver.

    Returns:
        Test classes by name, such as ``TestExecutor``. The contracts of runners need fixtures of their own.
    """
    from framework_m_migrations import testing

    names = ("Executor", "Inspector", "Pruner", "Ledger", "Life", "MigrationLock", "Session", "VersionedTrack")
    bases = {f"Test{name}": (database, getattr(testing, f"{name}Contract")) for name in names}
    if not life:
        del bases["TestLife"]
    module = {"__module__": database.__module__}
    return {name: type(name, found, dict(module)) for name, found in bases.items()}
