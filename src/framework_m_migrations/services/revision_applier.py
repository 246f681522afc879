"""Carries out revisions one by one, under the migration lock that the caller holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.events import RevisionFinished, RevisionRetried, RevisionStarted
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.revisions import RevisionGraph
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.locking import retrying, still_held


def apply_revisions(
    session: Session, locks: LockOptions, revisions: Sequence[str], direction: str, recorded: Sequence[str] = ()
) -> UseCase[None]:
    """Each revision in its order; one that did not get a lock in time is tried again whole.

    Args:
        session: the ports.
        locks: waiting.
        revisions: ids.
        direction: ``upgrade`` or ``downgrade``.
        recorded: those of them that only come to count as applied.

    Raises:
        RevisionError: a revision failed; those before it stand.
        MigrationLocked: the migration lock was lost meanwhile.
    """
    graph = session.versions.graph()
    ways: dict[str, Callable[[str], None]] = {
        "upgrade": session.versions.upgrade,
        "downgrade": session.versions.downgrade,
        "stamp": partial(_record, session, graph),
    }
    left = frozenset(recorded)
    for name in revisions:
        app, way = graph.by_id[name].app, "stamp" if name in left else direction
        still_held(session)
        session.events.emit(RevisionStarted(name, app, way))
        yield from retrying(session, locks, partial(ways[way], name), partial(RevisionRetried, name))
        session.events.emit(RevisionFinished(name, app, way))


def _record(session: Session, graph: RevisionGraph, revision: str) -> None:
    """Let a revision count as applied, in its place in the order: what it depends on is applied by now."""
    implied = graph.by_id[revision].parents
    with session.reading():
        heads = session.versions.current()
    session.versions.stamp(sorted({*heads.difference(implied), revision}))
