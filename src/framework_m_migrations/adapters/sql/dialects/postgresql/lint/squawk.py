"""squawk (https://squawkhq.com, squawk-cli on PyPI), where it is installed: its rules over the SQL of revisions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framework_m_migrations.domain.errors import MissingDependency

_PATIENCE = 120
EXCLUDED = (
    # The engine waits for locks briefly by itself, and a revision has a transaction of its own.
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
    "prefer-robust-stmts",
    "transaction-nesting",
    # Matters of taste that have no bearing on a deployment; DocTypes decide types.
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-repack",
    "prefer-text-field",
    "prefer-timestamptz",
    "ban-char-field",
)
"""Rules that are left out unless the project has a .squawk.toml, which then decides."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What squawk says of the statement with number ``statement`` in the text with number ``text``."""

    text: int
    statement: int
    rule: str
    message: str
    help: str | None


def program() -> str | None:
    """The program of this environment, else the one on PATH; None where there is none."""
    own = shutil.which("squawk", path=sysconfig.get_path("scripts"))
    return own or shutil.which("squawk")


def version(command: str) -> str:
    """Its version, as it says it."""
    return _run([command, "--version"], Path.cwd()).strip().removeprefix("squawk").strip()


def verdicts(command: str, texts: Sequence[Sequence[str]], project: Path) -> list[Verdict]:
    """What squawk says.

    Args:
        command: the program.
        texts: for each revision its statements, each in one line.
        project: the folder whose .squawk.toml counts.

    Raises:
        MissingDependency: the program fails.
    """
    found: list[Verdict] = []
    config = project / ".squawk.toml"
    options = ["--config", str(config)] if config.is_file() else [f"--exclude={','.join(EXCLUDED)}"]
    with tempfile.TemporaryDirectory(prefix="m-migrate-lint-") as folder:
        files = [Path(folder) / f"{number}.sql" for number in range(len(texts))]
        for file, statements in zip(files, texts, strict=True):
            # One statement a line: the line tells which one is meant.
            file.write_text("".join(f"{' '.join(sql.splitlines())};\n" for sql in statements), encoding="utf-8")
        if not files:
            return found
        answer = _run([command, "--reporter", "json", *options, *map(str, files)], Path(folder))
        for entry in json.loads(answer or "[]"):
            if entry["rule_name"] == "syntax-error":
                continue  # What squawk cannot read, PostgreSQL may well.
            number = int(Path(entry["file"]).stem)
            found.append(Verdict(number, entry["line"], entry["rule_name"], entry["message"], entry.get("help")))
    return found


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingDependency(
            f"squawk cannot be run: {error}.", next_step="Reinstall it (pip install squawk-cli), or use --no-squawk."
        ) from error
    if done.returncode not in {0, 1}:
        raise MissingDependency(
            f"squawk failed: {' '.join(done.stderr.split()) or done.returncode}.",
            next_step="Correct .squawk.toml, or use --no-squawk.",
        )
    return done.stdout
