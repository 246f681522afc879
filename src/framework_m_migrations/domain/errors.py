"""Every failure a caller can meet, as one tree.

Each error has a stable ``code`` (documented in docs/errors.md; scripts may rely on it), ``what`` happened, and the
``next_step`` that leads out of it. Messages never hold a password: adapters redact before they raise.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MigrationError(Exception):
    """Root of all errors of this package.

    Args:
        what: what happened, one sentence.
        next_step: what the reader should do now, one sentence.
        details: plain values for machines, shown by ``--json``.
    """

    code: ClassVar[str] = "M000"
    exit_code: ClassVar[int] = 1
    default_next_step: ClassVar[str] = "Run the command again with --json and report the whole output."

    def __init__(self, what: str, *, next_step: str | None = None, details: dict[str, Any] | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step or self.default_next_step
        self.details = details or {}

    def __str__(self) -> str:
        return f"[{self.code}] {self.what} {self.next_step}"

    def to_dict(self) -> dict[str, Any]:
        """The error as plain values: code, what, next_step and, where there are any, details."""
        shown: dict[str, Any] = {"code": self.code, "what": self.what, "next_step": self.next_step}
        if self.details:
            shown["details"] = self.details
        return shown


class ConfigurationError(MigrationError):
    """A setting is missing, malformed, or asks for what the runtime mode cannot do."""

    code = "M100"
    exit_code = 2
    default_next_step = "Correct the setting and run the command again."


class UnsupportedDatabase(ConfigurationError):
    """The database URL names a dialect or driver that this runtime cannot serve."""

    code = "M101"


class MissingDependency(ConfigurationError):
    """A driver or an optional package is not installed."""

    code = "M102"
    exit_code = 1


class AppNotFound(ConfigurationError):
    """An app that was asked for cannot be imported, or no entry point has its name."""

    code = "M110"


class AppBroken(MigrationError):
    """An app's own module (DocTypes, hooks, entry point) failed to import."""

    code = "M111"
    default_next_step = "Fix the module named above, then run the command again."


class NoTables(ConfigurationError):
    """The MetaData that was named has no table: the wrong one, or its models were not imported."""

    code = "M112"
    default_next_step = (
        "Name the MetaData that the models use, in a module that imports all of them; "
        "--allow-empty accepts a project that has no table yet, or none any more."
    )


class InvalidMetadata(MigrationError):
    """The wanted schema contradicts itself: two tables of one name, an unknown foreign key target, no columns."""

    code = "M120"
    default_next_step = "Correct the model named above."


class NameInOtherCase(InvalidMetadata):
    """A table or column is declared in another case of letters than the database has it, to which both are one."""

    code = "M121"
    default_next_step = "Declare it as the database has it, or rename it in a revision."


class DatabaseError(MigrationError):
    """The database refused a statement."""

    code = "M200"
    default_next_step = "Fix the reported error and run the same command again; it resumes where it stopped."


class ConnectionFailed(DatabaseError):
    """No connection could be opened or it broke."""

    code = "M201"
    default_next_step = (
        "Check that the database runs and that the URL, the user and the password are right; then run the same command "
        "again."
    )


class MissingPrivilege(DatabaseError):
    """The role lacks a right that the plan needs."""

    code = "M202"
    default_next_step = "Grant the right named above, or run as the owner of the tables."


class DatabaseReadOnly(DatabaseError):
    """The database, or its file, cannot be written."""

    code = "M203"
    default_next_step = "Make the database writable, then run the same command: it resumes where it stopped."


class StorageFull(DatabaseError):
    """The disk or quota under the database is used up."""

    code = "M204"
    default_next_step = "Free some space, then run the same command: it resumes where it stopped."


class DatabaseCorrupt(DatabaseError):
    """The database file is damaged, or is no database at all."""

    code = "M205"
    default_next_step = "Restore the file from a backup; it was left as it is."


class PreparedStatementLost(DatabaseError):
    """A proxy lent the driver another session of the server than the one that it had prepared a statement on."""

    code = "M206"
    default_next_step = (
        "Let the driver keep no prepared statements behind a pooling proxy (docs/online.md says how), "
        "or connect to the server directly; then run the same command: it resumes where it stopped."
    )


class StatementCancelled(DatabaseError):
    """The server cancelled a statement: it took longer than a time limit, or another session asked for it."""

    code = "M207"
    default_next_step = (
        "Raise the limit (`--statement-timeout`, or statement_timeout of the role), then run the command again."
    )


class ServerFailed(DatabaseError):
    """The server failed for a reason of its own: memory, a limit of its configuration, its disk, damaged data."""

    code = "M208"
    default_next_step = "Fix what the server's log reports, then run the same command: it resumes where it stopped."


class LockTimeout(DatabaseError):
    """A lock on a table was not had within the tries allowed. Transient: the step was rolled back."""

    code = "M210"
    exit_code = 4
    default_next_step = "End or wait for the sessions named above, then run the same command again."


class MigrationLocked(MigrationError):
    """Another migrator works on this database."""

    code = "M211"
    exit_code = 4
    default_next_step = "Wait until it has finished, then run the same command again."


class LedgerCorrupt(MigrationError):
    """The ledger's tables do not have the form this engine, or Framework M, writes."""

    code = "M300"
    default_next_step = "Look at the table named above; `m-migrate repair` rebuilds the ledger from the real database."


class LedgerNameTaken(MigrationError):
    """A view, sequence, type or other object has the name of one of the engine's own tables, or of Alembic's."""

    code = "M301"
    default_next_step = (
        "Rename the object, or drop it if it is not needed, then run `m-migrate repair`; "
        "m-migrate removes nothing that it did not create."
    )


class PlanOutdated(MigrationError):
    """The database changed between planning and applying."""

    code = "M310"
    default_next_step = "Run the command again: it makes a new plan."


class DropRefused(MigrationError):
    """A drop was asked for of something that the ledger does not say is ours."""

    code = "M320"
    default_next_step = (
        "Drop it by hand if you are sure, or leave it: external objects are never dropped by this engine."
    )


class HookFailed(MigrationError):
    """A before_sync or after_sync hook raised."""

    code = "M400"
    default_next_step = "Fix the hook named above, then run the same command again."


class RevisionError(MigrationError):
    """Root of what can be wrong with the versioned track."""

    code = "M500"
    default_next_step = "Run `m-migrate status` to see each app's revisions."


class RevisionFileBroken(RevisionError):
    """A revision file cannot be loaded."""

    code = "M501"
    default_next_step = "Fix or remove the file named above; nothing was changed."


class UnknownRevision(RevisionError):
    """A revision was named that no file has; or the database is at one."""

    code = "M502"
    default_next_step = "Bring back the file or the app that has it, or use `m-migrate stamp` after manual surgery."


class MultipleHeads(RevisionError):
    """One app's branch has more than one head."""

    code = "M503"
    default_next_step = (
        'Join them: `m-migrate create "merge" --app APP --merge`, or give one the other as down_revision.'
    )


class RevisionCycle(RevisionError):
    """Revisions depend on each other in a circle."""

    code = "M504"
    default_next_step = "Break the circle in down_revision or depends_on of the revisions named above."


class RevisionFailed(RevisionError):
    """A revision's upgrade or downgrade raised. It was rolled back where the database can."""

    code = "M505"
    default_next_step = "Fix the revision named above, then run the same command: it resumes with that revision."


class VersionFolderMissing(RevisionError):
    """An app has no folder for its revisions, or one that was configured does not exist."""

    code = "M506"
    default_next_step = "Create a revision for the app with `m-migrate create`, which makes the folder."


class DependentRevision(RevisionError):
    """A rollback would pull the ground from under a revision of another app that is applied."""

    code = "M507"
    default_next_step = "Roll back the revisions named above first."


class EnvironmentBroken(RevisionError):
    """The project's own alembic.ini or env.py cannot be used."""

    code = "M508"
    default_next_step = "Fix it, or write a new one with `m-migrate init`."


class RevisionUnfinished(RevisionError):
    """A revision was cut off on a database that keeps what each of its statements did."""

    code = "M509"
    default_next_step = (
        "Undo by hand what stands, or finish it by hand; then say which it was with `m-migrate stamp`, and run the "
        "same command again."
    )


class ValuesWouldBeLost(RevisionError):
    """A column's values have no counterpart in its new type, or would lose digits: nothing was changed.

    ``details`` has ``table``, ``column`` and ``rows``, the number of rows that hold such values.
    """

    code = "M510"
    default_next_step = "Correct these rows, or write the conversion that you want into the revision."


class PersistenceError(MigrationError):
    """The store behind a browser's file system could not be loaded or flushed."""

    code = "M600"
    default_next_step = "The stored database is as it was before; reload the page and try again."


class QuotaExceeded(PersistenceError):
    """The browser's quota does not hold what was to be stored."""

    code = "M601"
    default_next_step = "Free some of the site's storage and try again; the stored database is as it was before."


class StoreInUse(PersistenceError):
    """Another tab or worker holds the store."""

    code = "M602"
    exit_code = 4
    default_next_step = "Close the other tab, or wait until it has finished, then try again."


class StoreUnavailable(PersistenceError):
    """The browser gives no access to the store: private browsing, blocked site data, a damaged profile."""

    code = "M603"
    default_next_step = "Allow site data for this page, leave private browsing, or try another browser."


class StoreConflict(PersistenceError):
    """Files in memory and stored files both changed, or nobody can say which of them are to be kept."""

    code = "M604"
    default_next_step = (
        "Nothing was changed, neither in memory nor in the store. Reload the page to go on from the store."
    )
