"""Which arguments a hook is called with: those that it names, and no others."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from framework_m_migrations.domain.effects import Hook
from framework_m_migrations.domain.errors import HookFailed

HOOK_ARGUMENTS = ("engine", "connection", "plan", "result", "app", "schema")
"""What a hook may name."""

type CallArguments = tuple[tuple[object, ...], dict[str, object]]
"""Positional and keyword arguments of one call."""


def describe_hook(hook: Hook) -> str:
    """How messages name a hook."""
    return f"{hook.phase} of app {hook.app}"


def hook_arguments(hook: Hook, offered: Mapping[str, object]) -> CallArguments:
    """The arguments to call ``hook`` with.

    Args:
        hook: whose signature decides.
        offered: values for the names of HOOK_ARGUMENTS.

    Returns:
        What it names; ``**kwargs`` takes all that is offered. Parameters with a default that nobody knows keep it.

    Raises:
        HookFailed: a required parameter has a name that is not offered, or the function tells no signature.
    """
    try:
        parameters = inspect.signature(hook.function).parameters.values()
    except (TypeError, ValueError) as error:
        raise HookFailed(
            f"The hook {describe_hook(hook)} is no function whose parameters can be read: {error}.",
            next_step=f"Make it a function with parameters among {', '.join(HOOK_ARGUMENTS)}.",
        ) from error
    positional: list[object] = []
    named: dict[str, object] = {}
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            named = dict(offered)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            continue
        elif parameter.name in offered:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(offered[parameter.name])
            else:
                named[parameter.name] = offered[parameter.name]
        elif parameter.default is parameter.empty:
            raise HookFailed(
                f"The hook {describe_hook(hook)} asks for {parameter.name!r}, which no hook is given.",
                next_step=f"Name only parameters among {', '.join(HOOK_ARGUMENTS)}, or give this one a default.",
            )
    return tuple(positional), named


def is_async_hook(hook: Hook) -> bool:
    """True when calling the hook makes a coroutine: ``async def``, a partial of one, an object with such a call."""
    function = inspect.unwrap(hook.function)
    call = getattr(function, "__call__", None)  # noqa: B004 - asked for its kind, not whether it is there
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
