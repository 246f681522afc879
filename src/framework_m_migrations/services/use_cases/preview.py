"""run --dry-run, rollback --dry-run and show: revisions before they run. Nothing is changed, no lock is taken."""

from __future__ import annotations

from collections.abc import Sequence

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import UnknownRevision
from framework_m_migrations.domain.revision_previews import PreviewResult, ShowResult
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.revision_targets import downward, named
from framework_m_migrations.services.use_cases.run import RunOptions, chosen_by
from framework_m_migrations.services.version_resolver import VersionResolver, resolver


def preview_run(session: Session, options: RunOptions) -> UseCase[PreviewResult]:
    """What ``run`` would do; the arguments and errors are those of use_cases.run.run."""
    yield from ()
    versions = resolver(session)
    pending, recorded, held = chosen_by(session, versions, options)
    return _result(session, versions, pending, upgrade=True, recorded=recorded, held=held)


def preview_rollback(
    session: Session, *, steps: int | None = None, app: str | None = None, to: str | None = None
) -> UseCase[PreviewResult]:
    """What ``rollback`` would do; the arguments and errors are those of use_cases.run.rollback."""
    yield from ()
    versions = resolver(session)
    wanted = downward(versions, to, app=app, steps=steps)
    chosen = versions.rollback(steps=wanted.steps, app=wanted.app, to=wanted.to)
    return _result(session, versions, chosen, upgrade=False)


def show(session: Session, text: str) -> UseCase[ShowResult]:
    """One revision with its SQL and its state.

    Args:
        session: the ports.
        text: its id, the beginning of one, ``APP@head`` or a form relative to one of these.

    Raises:
        UnknownRevision: the text names no revision, or several.
    """
    yield from ()
    versions = resolver(session)
    found = named(versions, text)
    if len(found) != 1:
        many = f"it stands for {', '.join(found)}" if found else "nothing comes before the first revision"
        raise UnknownRevision(f"{text!r} names no single revision: {many}.", next_step="Name one revision.")
    revision = versions.graph.by_id[found[0]]
    applied = revision.id in versions.applied
    held: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    if not applied:
        before = versions.pending(revision.id)
        held = versions.held(before)
    with session.reading():
        # A pending revision is shown as it would run from here, after those that it needs.
        up = session.versions.render(before or (revision.id,), alone=applied)[-1]
        [down] = session.versions.render((revision.id,), upgrade=False, alone=True)
    followers = tuple(one.id for one in versions.graph.revisions if revision.id in one.parents)
    return ShowResult(revision, "applied" if applied else "pending", up, down, followers, revision.id in held)


def _result(
    session: Session,
    versions: VersionResolver,
    revisions: Sequence[str],
    *,
    upgrade: bool,
    recorded: Sequence[str] = (),
    held: Sequence[str] = (),
) -> PreviewResult:
    with session.reading():
        previews = session.versions.render(revisions, upgrade=upgrade, recorded=recorded)
    capabilities = session.capabilities
    return PreviewResult(
        tuple((versions.graph.by_id[one.revision], one) for one in previews),
        "upgrade" if upgrade else "downgrade",
        tuple(held),
        tuple(recorded),
        capabilities.dialect,
        capabilities.transactional_ddl,
    )
