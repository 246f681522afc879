"""A revision that was cut off is told by `status` and `verify`, until somebody stamps."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePath

from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import RevisionFailed
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.results import StatusResult, VerifyResult
from framework_m_migrations.domain.revisions import Revision
from framework_m_migrations.ports.app_discovery import App
from framework_m_migrations.services.use_cases.inspect import status, verify
from framework_m_migrations.services.use_cases.run import run, stamp
from tests.fakes.memory import (
    MemoryConnection,
    MemoryDatabase,
    MemoryRevision,
    MemoryRevisions,
    MemoryRunner,
    MemoryWorld,
)


def raising(connection: MemoryConnection) -> None:
    raise ValueError("on purpose")


def told(*, transactional: bool) -> tuple[StatusResult, VerifyResult, StatusResult, VerifyResult]:
    """What is told after a revision failed, and after it was stamped as done."""
    capabilities = Capabilities("memory", transactional_ddl=transactional)
    revisions = MemoryRevisions([MemoryRevision(Revision("a1", "shop", (), (), ("shop",)), raising, raising)])
    app = App("shop", "shop", new_version_folder=PurePath("shop"))
    runner = MemoryRunner(MemoryDatabase(capabilities), MemoryWorld(apps=(app,), revisions=revisions))

    def looks() -> tuple[StatusResult, VerifyResult]:
        return runner.run(lambda session: status(session, (app,), "memory")), runner.run(verify)

    with suppress(RevisionFailed):
        runner.run(lambda session: run(session, LockOptions()))
    before = looks()
    runner.run(lambda session: stamp(session, LockOptions(), ("a1",), dry_run=False))
    return (*before, *looks())


def kinds(result: VerifyResult) -> set[str]:
    return {finding.kind for finding in result.findings if finding.dirty}


def test_where_ddl_commits_it_is_named_and_dirty_until_it_is_stamped() -> None:
    status_then, verify_then, status_now, verify_now = told(transactional=False)
    assert (status_then.unfinished, status_then.ready) == (("a1",), False)
    assert kinds(verify_then) == {"unfinished-revision", "pending-revision"}
    assert any("Revision a1 was cut off" in finding.what for finding in verify_then.findings)
    assert (status_now.unfinished, status_now.ready) == ((), True)
    assert not verify_now.dirty


def test_where_ddl_is_taken_back_nothing_is_unfinished() -> None:
    status_then, verify_then, _, verify_now = told(transactional=True)
    assert status_then.unfinished == ()
    assert kinds(verify_then) == {"pending-revision"}
    assert not verify_now.dirty
