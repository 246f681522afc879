"""The schemas of tenants, all at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from framework_m_migrations.domain.ownership import LedgerSnapshot


@dataclass(frozen=True, slots=True)
class TenantLook:
    """One schema as it was found.

    Attributes:
        exists: there is such a schema.
        is_default: it is the connection's own, where what tenants share is kept.
        snapshot: its ledger, as ports.ledger.Ledger.snapshot would give it; None where it was not read.
        token: its catalog token, as ports.inspector.Inspector.catalog_token would give it in a session of this schema
            whose tables are all in it; None where it was not read.
    """

    exists: bool = False
    is_default: bool = False
    snapshot: LedgerSnapshot | None = None
    token: str | None = None


class Tenants(Protocol):
    """Looks at the schemas of tenants, and makes them.

    Obligations:
        - The number of statements does not grow with the number of schemas, up to some hundreds at a time.
        - A ledger that cannot be read is left out (``snapshot`` None) and never keeps the others from being read.
    """

    def look(self, schemas: Collection[str]) -> Mapping[str, TenantLook]:
        """Every schema that was asked for, those that do not exist included."""
        ...

    def alike(self, schemas: Collection[str]) -> Mapping[str, str]:
        """A text for each schema; of two with the same text, a full comparison finds the same, rows apart.

        Checksums and state, which ``look`` gives, are not in it; who owns what is. A schema that cannot be read is left
        out.
        """
        ...

    def with_ledger(self) -> tuple[str, ...]:
        """Names of all schemas that hold a ledger of this engine, in order; the default one is left out."""
        ...

    def create(self, schema: str) -> None:
        """Make a schema, unless it exists; in the caller's transaction.

        Raises:
            MissingPrivilege: the role may not.
        """
        ...
