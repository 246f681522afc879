"""Other packages' boot steps that may add fields to DocTypes, run before a command looks at the DocTypes."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint
from typing import Any

from framework_m_migrations.adapters.installed import entry_points_of
from framework_m_migrations.domain.errors import AppBroken

GROUP = "framework_m.bootstrap"
HOST_PACKAGES = ("framework_m_core.", "framework_m_standard.", "framework_m_migrations.")
BAKED_AT = 25
"""Order of the host's step after which no field can be registered."""


def register_added_fields() -> None:
    """Run the steps of order below 25, as the host would at boot: those of packages in the installed apps.

    Raises:
        AppBroken: a step cannot be loaded or fails. The host would pass over it, and its fields would look as if they
            had been removed.
    """
    steps = [(entry, _step(entry)) for entry in entry_points_of(GROUP) if _counts(entry)]
    chosen = sorted((one for one in steps if one[1] is not None), key=lambda one: one[1].order)
    early = [(entry, step) for entry, step in chosen if step.order < BAKED_AT]
    if not early:
        return
    from framework_m_core.container import Container

    container = Container()
    for entry, step in early:
        try:
            step.run(container)
        # A step is code of somebody else's: whatever it raises must be reported by name.
        except Exception as error:
            raise _broken(entry, error) from error


def _counts(entry: EntryPoint) -> bool:
    from framework_m_core.config import get_installed_apps

    if entry.value.startswith(HOST_PACKAGES):
        return False
    allowed = get_installed_apps()
    root = entry.module.partition(".")[0]
    return allowed is None or root in {name.replace("-", "_") for name in allowed}


def _step(entry: EntryPoint) -> Any:
    """The step; None for a plain function, which the host runs after the fields are fixed."""
    try:
        found = entry.load()
        return found() if inspect.isclass(found) else None
    # As above.
    except Exception as error:
        raise _broken(entry, error) from error


def _broken(entry: EntryPoint, error: Exception) -> AppBroken:
    return AppBroken(
        f"The boot step {entry.name} = {entry.value} failed with {type(error).__name__}: {error}.",
        details={"entry_point": entry.name, "value": entry.value},
    )
