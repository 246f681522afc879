"""HashCache: what changed since the database was last seen to match, told without reading the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from framework_m_migrations.domain.ownership import CATALOG_TOKEN, LedgerForm, LedgerSnapshot

GHOSTS = "ghosts"
"""Key of the state entry that is set while anything is withheld.

A table of ours that no DocType wants has no checksum to miss. Nor has a DocType with a withheld change, which has to be
found again as a ghost when it is declared no more.
"""


@dataclass(frozen=True, slots=True)
class CacheVerdict:
    """What the checksums say.

    Attributes:
        full: every DocType must be compared: the ledger is new or foreign, the catalog was changed by somebody else,
            or the caller said so.
        changed: DocTypes whose definition is not the one the database was seen to match.
        removed: DocTypes of the ledger that are not declared any more.
        ghosts: the last look withheld something, be it a table of ours that nobody wants.
    """

    full: bool
    changed: frozenset[str]
    removed: frozenset[str]
    ghosts: bool

    @property
    def hit(self) -> bool:
        """True when nothing has to be compared."""
        return not (self.full or self.changed or self.removed or self.ghosts)


class HashCache:
    """Compares the checksums of the wanted schema with the ledger's.

    A checksum is in the ledger only when the database really matched it, so equal checksums and an unchanged catalog
    token together mean that there is nothing to do.
    """

    def judge(
        self, wanted: Mapping[str, str], snapshot: LedgerSnapshot, token: str | None, *, force: bool = False
    ) -> CacheVerdict:
        """What must be compared.

        Args:
            wanted: DocType name to checksum, from the schema source.
            snapshot: the ledger.
            token: the catalog's token now; None where the database has none, and then it proves nothing either way.
            force: compare everything whatever the checksums say.
        """
        full = force or snapshot.form is not LedgerForm.CURRENT or snapshot.state.get(CATALOG_TOKEN) != token
        stored = snapshot.checksums
        return CacheVerdict(
            full=full,
            changed=frozenset(name for name, checksum in wanted.items() if full or stored.get(name) != checksum),
            removed=frozenset(stored.keys() - wanted.keys()),
            ghosts=GHOSTS in snapshot.state,
        )
