"""The MetaData of a session's apps: whose naming convention a revision runs with, and what it must not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from framework_m_migrations.domain.errors import AppBroken, MigrationError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.sql.desired.declared import Snapshot

type Named = Sequence[tuple[str | None, sa.MetaData]]


class Models:
    """Loads the MetaData before the first revision file, and keeps it as it is declared.

    Args:
        load: gives each MetaData with the app that declares it, None where that is no app in particular.
    """

    def __init__(self, load: Callable[[], Named]) -> None:
        self._load = load
        self._named: Named | None = None
        self._error: MigrationError | None = None
        self._snapshot: Snapshot | None = None
        self._touched = False

    def look(self) -> None:
        """Load it and remember what it holds. What fails is not needed yet: those who need it say so themselves."""
        if self._named is not None:
            return
        from framework_m_migrations.adapters.sql.desired.declared import Snapshot

        try:
            self._named = self._load()
        except MigrationError as error:
            self._named, self._error = (), error
        self._snapshot = Snapshot(list({id(metadata): metadata for _, metadata in self._named}.values()))

    def touch(self) -> None:
        """Code of a revision has run, which may have changed it."""
        self._touched = True

    def restore(self) -> None:
        """Let it hold what is declared again."""
        if self._touched and self._snapshot is not None:
            self._snapshot.restore()
        self._touched = False

    def metadata(self, app: str | None) -> sa.MetaData | None:
        """The MetaData by whose naming convention the app's revisions name; None where there is none.

        Raises:
            AppBroken: it failed to import.
        """
        self.look()
        if isinstance(self._error, AppBroken):
            raise self._error
        named = self._named or ()
        own = [metadata for owner, metadata in named if owner == app] or [one for owner, one in named if owner is None]
        if own:
            return own[0]
        conventions = [metadata.naming_convention for _, metadata in named]
        return named[0][1] if named and all(one == conventions[0] for one in conventions) else None
