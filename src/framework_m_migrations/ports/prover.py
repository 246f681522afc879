"""Tries a revision out on a scratch database."""

from __future__ import annotations

from typing import Protocol

from framework_m_migrations.domain.revisions import Proof, SquashDraft, SquashResult


class Prover(Protocol):
    """Runs a revision forwards, backwards and forwards on a copy of the schema with generated rows.

    Obligations:
        - The session's database is read, never changed. A database that ``prove`` makes is dropped, whatever happens.
        - What goes wrong in the revision is an outcome, not an error; so is that no scratch database is available.
    """

    def prove(self, revision: str, *, scratch: str | None = None) -> Proof:
        """Try one revision.

        Args:
            revision: its id.
            scratch: URL of an empty database to use; None to make one.

        Raises:
            UnknownRevision: no file has it.
            ConfigurationError: the scratch database holds something, or is of another kind than the session's.
        """
        ...

    def store(self, proof: Proof, day: str) -> Proof:
        """Write the outcome into the revision's file, in place of an earlier one; its code stays as it is.

        Args:
            proof: of a revision that was tried.
            day: today, as ``2026-11-30``.

        Returns:
            The proof with ``stored`` set; where the file cannot be written, with a note that says so.
        """
        ...

    def text(self, revision: str) -> str:
        """The revision's file."""
        ...

    def squash(self, draft: SquashDraft, *, scratch: str | None = None, dry_run: bool) -> SquashResult:
        """Write one revision in the place of others, once it is proven that both make the same database.

        The replaced revisions stay the history of a database that has a part of them.

        Args:
            draft: the new revision, and those that it replaces.
            scratch: as for ``prove``. Where none can be had, a SQLite in memory serves, and a note says so.
            dry_run: prove, and write nothing.

        Raises:
            RevisionError: they do not make the same database, or that cannot be proven; nothing was written.
            ConfigurationError: as ``prove``.
        """
        ...
