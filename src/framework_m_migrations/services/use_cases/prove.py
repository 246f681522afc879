"""prove: try revisions out on a scratch database, and store the outcome in their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import UnsupportedDatabase
from framework_m_migrations.domain.proof import Proof
from framework_m_migrations.domain.results import ProveResult
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.version_resolver import resolver


@dataclass(frozen=True, slots=True)
class ProveOptions:
    """What to prove.

    Attributes:
        revisions: ids or their beginnings; empty for the pending revisions.
        scratch: URL of an empty database to try them on; None to make one.
        store: write each outcome into the revision's file.
    """

    revisions: tuple[str, ...] = ()
    scratch: str | None = None
    store: bool = True


def prove(session: Session, options: ProveOptions) -> UseCase[ProveResult]:
    """Prove revisions, in the order in which they are applied.

    Returns:
        One proof for each; what a revision does wrong is an outcome, not an error.

    Raises:
        UnknownRevision: an id that no revision has.
        ConfigurationError: the scratch database cannot be used.
        UnsupportedDatabase: there is no prover for this database.
    """
    yield from ()
    versions = resolver(session)
    wanted = {versions.resolve(text) for text in options.revisions}
    chosen = [name for name in versions.graph.order if name in wanted] if wanted else list(versions.pending())
    found = proofs(session, chosen, scratch=options.scratch, store=options.store)
    if chosen and not found:
        raise UnsupportedDatabase("Revisions cannot be tried out on this database.")
    return ProveResult(found)


def proofs(
    session: Session, revisions: Sequence[str], *, scratch: str | None = None, store: bool = True
) -> tuple[Proof, ...]:
    """The proofs of revisions, in order; none where the session has no prover.

    Args:
        session: the ports.
        revisions: ids.
        scratch: as for Prover.prove.
        store: write what was tried into the files.
    """
    prover = session.prover
    if prover is None:
        return ()
    day = session.clock.now().date().isoformat()
    found: list[Proof] = []
    for revision in revisions:
        with session.reading():
            proof = prover.prove(revision, scratch=scratch)
        found.append(prover.store(proof, day) if store and proof.tried else proof)
    return tuple(found)
