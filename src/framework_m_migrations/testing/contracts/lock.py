"""What every migration lock must do."""

from __future__ import annotations

import time

from framework_m_migrations.domain.options import Limits
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract, failing
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation

NOTICE = 120.0
"""Seconds that a server may take to notice that a client has died."""


class MigrationLockContract(DatabaseContract):
    """Obligations of ports.lock.MigrationLock."""

    @obligation("lock.try-acquire.excludes")
    def test_one_session_at_a_time(self, harness: Harness) -> None:
        """While one session holds the lock no other gets it; after release it does."""

        def work(session: Session) -> None:
            with harness.second() as other:
                assert session.lock.try_acquire()
                assert not other.lock.try_acquire()
                session.lock.release()
                assert other.lock.try_acquire()
                assert not session.lock.try_acquire()
                other.lock.release()

        harness.run(work)

    @obligation("lock.try-acquire.again")
    def test_the_holder_gets_it_again(self, harness: Harness) -> None:
        """For the session that holds the lock try_acquire is True again, and one release gives it back."""

        def work(session: Session) -> None:
            with harness.second() as other:
                assert session.lock.try_acquire()
                assert session.lock.try_acquire()
                session.lock.release()
                assert other.lock.try_acquire()
                other.lock.release()

        harness.run(work)

    @obligation("lock.try-acquire.never-waits")
    def test_a_refusal_comes_at_once(self, harness: Harness) -> None:
        """``try_acquire`` never waits: a refusal comes at once, however often it is asked for."""

        def work(session: Session) -> None:
            with harness.second() as other:
                assert other.lock.try_acquire()
                assert not session.lock.try_acquire()
                started = time.monotonic()
                assert not any(session.lock.try_acquire() for _ in range(3))
                # Far more than a busy machine needs, and less than three waits of any length that is one.
                assert time.monotonic() - started < 30
                other.lock.release()

        harness.run(work)

    @obligation("lock.release.not-held")
    def test_releasing_what_is_not_held_does_nothing(self, harness: Harness) -> None:
        """``release`` does nothing for a session that does not hold the lock: the holder keeps it."""

        def work(session: Session) -> None:
            session.lock.release()
            with harness.second() as other:
                assert other.lock.try_acquire()
                session.lock.release()
                assert not session.lock.try_acquire()
                session.lock.release()
                assert not session.lock.try_acquire()
                other.lock.release()
                other.lock.release()
                assert session.lock.try_acquire()
                session.lock.release()

        harness.run(work)

    @obligation("lock.held.through-transactions")
    def test_transactions_leave_it_held(self, harness: Harness) -> None:
        """Commits, rollbacks and reads leave the lock held, whenever it was taken."""

        def work(session: Session) -> None:
            with harness.second() as other:
                assert session.lock.try_acquire()
                with session.transaction(Limits(10)):
                    session.ledger.prepare()
                with failing(session.transaction(Limits(10))):
                    pass
                with session.reading():
                    session.inspector.read()
                with session.autocommit():
                    pass
                assert not other.lock.try_acquire()
                session.lock.release()
                assert other.lock.try_acquire()
                other.lock.release()

        harness.run(work)

    @obligation("lock.held.others-work-on")
    def test_others_can_work_meanwhile(self, harness: Harness) -> None:
        """The lock keeps other migrators away and nobody else: sessions without it read and write."""

        def work(session: Session) -> None:
            assert session.lock.try_acquire()
            with harness.second() as other:
                with other.transaction(Limits(10)):
                    other.ledger.prepare()
                with other.reading():
                    other.inspector.read()
            session.lock.release()

        harness.run(work)

    @obligation("lock.session-end.frees")
    def test_the_end_of_a_session_frees_it(self, harness: Harness) -> None:
        """A session that ends without a release holds the lock no longer."""
        assert harness.run(lambda session: session.lock.try_acquire())

        def work(session: Session) -> None:
            assert _soon(session)
            session.lock.release()

        harness.run(work)

    @obligation("lock.holder-dies.frees")
    def test_the_death_of_the_holder_frees_it(self, harness: Harness) -> None:
        """A holder that is killed holds the lock no longer."""
        if not harness.die_holding_lock():
            self.not_applicable("killing a session")
            return

        def work(session: Session) -> None:
            assert _soon(session)
            session.lock.release()

        harness.run(work)

    @obligation("lock.holder.described")
    def test_the_holder_is_described(self, harness: Harness) -> None:
        """``holder`` is None while nobody has the lock; else words for a person, or None, and never a secret."""

        def work(session: Session) -> None:
            assert session.lock.holder() is None
            with harness.second() as other:
                assert other.lock.try_acquire()
                described = session.lock.holder()
                assert described is None or described.strip()
                assert not any(secret in (described or "") for secret in harness.secrets)
                other.lock.release()
            assert session.lock.holder() is None

        harness.run(work)


def _soon(session: Session) -> bool:
    deadline = time.monotonic() + NOTICE
    while not session.lock.try_acquire():
        if time.monotonic() > deadline:
            seen = f"held by {session.lock.holder() or 'nobody that is known'}"
            raise AssertionError(f"Waited {NOTICE:g} s for the lock of a session that has ended. Seen last: {seen}")
        time.sleep(0.05)
    return True
