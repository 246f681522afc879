"""What an app has in the database beside its revisions: where old code may run, and what sync has built."""

from __future__ import annotations

from collections.abc import Collection

from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.session import Session

BESIDE_SYNC = (
    "A new database gets its tables from sync from now on, and the app's revisions only count as applied there: "
    "data that it needs belongs into a hook."
)
"""For the review of the first revision of an app that is written beside sync."""


def apps_with_tables(session: Session, apps: Collection[str | None]) -> frozenset[str | None]:
    """Those of ``apps`` of which the database has tables: it is not new to them, whoever made the tables.

    A table counts when the app wants it, under this name or the one it had before, or when the ledger says that it is
    the app's. Tables that are no app's in particular count for each.

    Args:
        session: the ports; tables and ledger are read.
        apps: of revisions; None for revisions of no app.

    Raises:
        InvalidMetadata, AppBroken: the wanted schema cannot be told.
        LedgerCorrupt, LedgerNameTaken: the ledger cannot be read.
    """
    claims: set[tuple[TableName, str | None]] = set()
    for doctype in session.source.load():
        for table in doctype.tables:
            claims.add((table.name, doctype.app))
            if table.renamed_from is not None:
                claims.add((TableName(table.renamed_from, table.name.schema), doctype.app))
    with session.reading():
        claims |= {(one.table, one.app) for one in session.ledger.objects().values()}
        there = session.inspector.read({name for name, _ in claims}).tables.keys()
    owners = {app for name, app in claims if name in there}
    return frozenset(app for app in apps if owners & {app, None} or (app is None and owners))


def sync_has_built(session: Session, app: str) -> bool:
    """Whether sync has made a table of the app, so that its revisions alone do not make all of its tables.

    Args:
        session: the ports; the ledger is read.
        app: by name; a table that is no app's in particular counts too.
    """
    with session.reading():
        owned = session.ledger.objects()
    return any(one.origin == "created" and one.app in {app, None} for one in owned.values())
