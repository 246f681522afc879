"""A plan as a document: made by ``plan --out``, reviewed by people, applied by ``apply`` exactly as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.results import PlanResult

FORMAT = "m-migrate plan 1"
"""Its last word is the version; documents of other versions are refused."""


def plan_document(result: PlanResult, database: str) -> dict[str, Any]:
    """The plan as plain values.

    Args:
        result: what sync would do.
        database: URL without its password, for the reader; the plan may be applied to another database of that state.
    """
    return {"format": FORMAT, "database": database, **result.to_dict()}


def approved_steps(document: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The statements of each step of a document.

    Raises:
        ConfigurationError: it is no such document, or one of another version.
    """
    found = document.get("format")
    if found != FORMAT:
        raise ConfigurationError(
            f"This is no plan that this version can apply: its format is {found!r}, not {FORMAT!r}.",
            next_step="Make it with `m-migrate plan --out FILE`.",
        )
    try:
        return tuple(tuple(str(statement) for statement in step["sql"]) for step in document["steps"])
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            "The plan has no steps with their SQL.", next_step="Make it with `m-migrate plan --out FILE`."
        ) from error
