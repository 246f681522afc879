"""Failures that only a command line has; in the same tree, so that they are shown and documented like all others."""

from __future__ import annotations

from framework_m_migrations.domain.errors import ConfigurationError, MigrationError


class UsageError(ConfigurationError):
    """The command line cannot be understood."""

    code = "M103"
    default_next_step = "See `m-migrate --help`, or `m-migrate COMMAND --help`."


class ConfirmationNeeded(ConfigurationError):
    """The command changes what cannot be had back, and nobody is there to be asked."""

    code = "M104"
    default_next_step = "Give --yes to go ahead, or --dry-run to only see what would change."


class Declined(MigrationError):
    """The question whether to go ahead was answered with no."""

    code = "M105"
    default_next_step = "Nothing was changed; run the command again when you are ready."


class UnwritableText(MigrationError):
    """Standard output cannot express a character of what must be written exactly."""

    code = "M106"
    default_next_step = "Set PYTHONIOENCODING=utf-8 and run the command again."


class Unexpected(MigrationError):
    """Something failed that this engine did not foresee: a defect of the engine or of an app."""

    code = "M900"
    default_next_step = "Run the command again with -v to see the traceback, and report it."


class Interrupted(MigrationError):
    """The command was stopped from the keyboard."""

    code = "M901"
    exit_code = 130
    default_next_step = "Finished steps are kept. Run the same command again: it resumes where it stopped."
