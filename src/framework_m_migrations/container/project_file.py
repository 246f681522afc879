"""The settings that a project keeps in a file: m-migrate.toml, or a table of pyproject.toml."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.domain.errors import ConfigurationError

FILE = "m-migrate.toml"
TABLE = "framework-m-migrations"
ENVIRONMENTS = "env"

MINIMUM_LIMIT = 0.001
"""Seconds; the shortest timeout of a lock or statement."""

_DURATION_EXPECTED = "seconds, or a duration such as '500ms'"

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h)?")
_UNITS = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds from ``2``, ``0.5``, ``500ms``, ``10s``, ``5m`` or ``1h``.

    Raises:
        ValueError: it is none of these.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f'"{text}" is no duration: seconds (0.5) or a number with a unit (500ms, 10s, 5m, 1h)')
    seconds = float(found[1]) * _UNITS[found[2]]
    if not math.isfinite(seconds):
        raise ValueError(f'"{text}" is too long')
    return seconds


def split_names(given: str) -> tuple[str, ...]:
    """The names in a comma separated text, each once."""
    return tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value


def _names(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a text, or a list of texts")
    names = tuple(dict.fromkeys(name for text in texts for name in split_names(text)))
    if not names:
        raise ValueError("at least one name")
    return names


def _folders(value: Any) -> tuple[Path, ...]:
    return tuple(Path(name) for name in _names(value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - shown as a ConfigurationError
    return value


def _not(value: Any) -> bool:
    return not _flag(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0 on")
    return value


def _duration(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_DURATION_EXPECTED)  # noqa: TRY004 - shown as a ConfigurationError
    try:
        return parse_duration(str(value))
    except ValueError:
        raise ValueError(_DURATION_EXPECTED) from None


def _limit(value: Any) -> float:
    # 0 means "no limit" to PostgreSQL: a step would block every other session for as long as it waits.
    if (seconds := _duration(value)) < MINIMUM_LIMIT:
        raise ValueError("at least 1ms")
    return seconds


def _mode(value: Any) -> RuntimeMode:
    try:
        return RuntimeMode(value)
    except ValueError:
        raise ValueError(f"one of {', '.join(mode.value for mode in RuntimeMode)}") from None


def _lock(value: Any) -> str:
    if value not in {"auto", "advisory", "lease"}:
        raise ValueError("auto, advisory or lease")
    return str(value)


KEYS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "database-url": ("database_url", _text),
    "metadata": ("metadata", _names),
    "apps": ("apps", _names),
    "mode": ("mode", _mode),
    "schema": ("schema", _text),
    "version-table": ("version_table", _text),
    "version-folders": ("version_folders", _folders),
    "exclude": ("exclude", _names),
    "include-object": ("include_object", _text),
    "allow-empty": ("allow_empty", _flag),
    "no-online": ("online", _not),
    "lock": ("lock", _lock),
    "connect-wait": ("connect_wait", _duration),
    "lock-wait": ("lock_wait", _duration),
    "lock-timeout": ("lock_timeout", _limit),
    "lock-retries": ("lock_retries", _count),
    "statement-timeout": ("statement_timeout", _limit),
}
"""Each key, which is the long option without its dashes, with the setting that it becomes and how its value is read."""


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What a project's file says.

    Attributes:
        values: by setting; those of the chosen environment over the others.
        origins: by setting, where its value stands: the file, and the environment's table.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)


def read_project_file(project: Path, environment: str = "") -> ProjectFile:
    """The settings in the project's folder.

    ``m-migrate.toml`` counts where it is there, else the table ``[tool.framework-m-migrations]`` of ``pyproject.toml``.
    ``[...env.NAME]`` holds what an environment has of its own. Folders, and the file of a SQLite URL, are relative to
    the project's folder.

    Args:
        project: the project's folder.
        environment: the environment whose table counts too; empty for none.

    Raises:
        ConfigurationError: the file cannot be read, a key or the environment is unknown, or a value has a wrong type.
    """
    file, table, name = _table(project)
    environments = table.get(ENVIRONMENTS, {})
    if not isinstance(environments, dict) or not all(isinstance(value, dict) for value in environments.values()):
        raise ConfigurationError(f"{file}: {name}.{ENVIRONMENTS} must hold one table for each environment.")
    if environment and environment not in environments:
        known = f"{file} has {', '.join(environments)}" if environments else "the project's file has none"
        raise ConfigurationError(
            f"There is no environment {environment!r}: {known}.",
            next_step=f"Add the table [{name}.{ENVIRONMENTS}.{environment}], or correct the name.",
        )
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    own = {key: value for key, value in table.items() if key != ENVIRONMENTS}
    layers = {name: own, **{f"{name}.{ENVIRONMENTS}.{one}": found for one, found in environments.items()}}
    for place, layer in layers.items():
        for key, value in layer.items():
            setting, read = _read(key, value, f"{file}, [{place}]", project)
            # The tables of other environments are read too, so that a mistake shows before the day it matters.
            if place in {name, f"{name}.{ENVIRONMENTS}.{environment}"}:
                values[setting], origins[setting] = read, f"{file}, [{place}]"
    return ProjectFile(values, origins)


def _table(project: Path) -> tuple[Path | None, dict[str, Any], str]:
    own, shared = project / FILE, project / "pyproject.toml"
    if own.is_file():
        return own, _load(own), "m-migrate"
    if not shared.is_file():
        return None, {}, f"tool.{TABLE}"
    if TABLE not in shared.read_text(encoding="utf-8", errors="replace"):
        # A pyproject.toml that says nothing to this program may be as broken as it likes.
        return None, {}, f"tool.{TABLE}"
    found = _load(shared).get("tool", {}).get(TABLE)
    return (None, {}, f"tool.{TABLE}") if found is None else (shared, found, f"tool.{TABLE}")


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.", next_step="Correct the file.") from error


def _read(key: str, value: Any, place: str, project: Path) -> tuple[str, Any]:
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1)
        raise ConfigurationError(
            f"{place}: the key {key!r} is unknown.",
            next_step=f"Did you mean {near[0]!r}?" if near else f"The keys are {', '.join(KEYS)}.",
        )
    setting, reader = KEYS[key]
    try:
        read = reader(value)
    except ValueError as error:
        raise ConfigurationError(
            f"{place}: the value of {key!r} is wrong.", next_step=f"Expected is {error}."
        ) from error
    if setting == "database_url":
        return setting, _from_folder(read, project)
    if setting == "version_folders":
        return setting, tuple(project / folder for folder in read)
    return setting, read


def _from_folder(url: str, project: Path) -> str:
    """A SQLite URL whose file is relative, made relative to the project's folder."""
    found = re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:|$)([^?]*)(\?.*)?", url)
    if found is None or Path(found[2]).is_absolute():
        return url
    return f"{found[1]}{(project / found[2]).as_posix()}{found[3] or ''}"
