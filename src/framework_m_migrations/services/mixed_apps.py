"""Apps whose tables sync and revisions make together: to which databases they are new, and what follows there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from framework_m_migrations.domain.changes import TableAdded
from framework_m_migrations.domain.plan import Plan
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.version_resolver import resolver

BESIDE_SYNC = (
    "A new database gets its tables from sync from now on, and the app's revisions only count as applied there: "
    "data that it needs belongs into a hook."
)
"""For the review of the first revision of an app that is written beside sync."""


def apps_with_tables(session: Session, apps: Collection[str | None]) -> frozenset[str | None]:
    """Those of ``apps`` of which the database has tables: it is not new to them, whoever made the tables.

    A table counts when the app wants it, under this name or the one it had before, or when the ledger says that it is
    the app's. Tables that are no app's in particular count for each. Where the revisions are about tables that the
    session does not see, those of tenants, nobody can say that there are none, and all of ``apps`` are meant.

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
        # Names are enough: of the session's own schema they are told without reading any table.
        there = session.inspector.read({name for name, _ in claims if name.schema is not None}).names
    owners = {app for name, app in claims if name in there}
    found = frozenset(app for app in apps if owners & {app, None} or (app is None and owners))
    # The versioned track is asked last: a sync of apps that have tables need not load it.
    return frozenset(apps) if found != frozenset(apps) and session.versions.serves_others() else found


def sync_has_built(session: Session, app: str) -> bool:
    """Whether sync has made a table of the app, so that its revisions alone do not make all of its tables.

    Args:
        session: the ports; the ledger is read.
        app: by name; a table that is no app's in particular counts too.
    """
    with session.reading():
        owned = session.ledger.objects()
    return any(one.origin == "created" and one.app in {app, None} for one in owned.values())


def without_unfinished(session: Session, recorded: Sequence[str]) -> tuple[str, ...]:
    """Nothing, where a revision was cut off: the next that is run tells of it, and to record one would forget it."""
    if recorded:
        with session.reading():
            return () if session.versions.unfinished() else tuple(recorded)
    return ()


def recorded_where_new(session: Session, made: Plan) -> tuple[str, ...]:
    """What is to be recorded before sync makes the first tables of an app: what ``run`` would, had it come first.

    Once the tables are there nobody can tell that they are as they are wanted now, and not from before the revisions.

    Args:
        session: the ports, under the migration lock.
        made: what is about to be applied.

    Returns:
        The revisions that are to count as applied, in order. One with a parent in another app that is not applied, and
        what stands on it, is not among them.

    Raises:
        RevisionError: the files are not in order.
    """
    growing = {p.app for p in made.applied if isinstance(p.change, TableAdded)}
    # A table that is no app's in particular may be any one's of those that were asked for.
    growing = (growing | session.source.apps() if None in growing else growing) - {None}
    new = growing - apps_with_tables(session, growing) if growing else set()
    if not new:
        return ()
    versions = resolver(session)
    pending = [name for name in versions.graph.order if name not in versions.applied]
    done = set(versions.applied)
    recorded: list[str] = []
    for name in without_unfinished(session, versions.recorded(pending, versions.new_to(pending) - new)):
        if done.issuperset(versions.graph.by_id[name].parents):
            done.add(name)
            recorded.append(name)
    return tuple(recorded)
