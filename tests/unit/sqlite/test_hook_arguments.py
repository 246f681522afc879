from __future__ import annotations

import functools
from typing import Any

import pytest

from framework_m_migrations.domain.effects import Hook, HookPhase
from framework_m_migrations.domain.errors import HookFailed
from framework_m_migrations.domain.hook_arguments import hook_arguments, is_async_hook

OFFERED = {"engine": "E", "connection": "C", "plan": "P", "result": "R", "app": "A"}


def hook(function: Any) -> Hook:
    return Hook("crm", HookPhase.BEFORE_SYNC, function)


def call(function: Any) -> Any:
    positional, named = hook_arguments(hook(function), OFFERED)
    return function(*positional, **named)


def test_a_hook_gets_what_it_names_and_no_more() -> None:
    assert call(lambda: "nothing") == "nothing"
    assert call(lambda engine: engine) == "E"
    assert call(lambda *, app, plan: (app, plan)) == ("A", "P")
    assert call(lambda connection, result=None: (connection, result)) == ("C", "R")


def test_positional_only_parameters_keep_their_places() -> None:
    def function(engine: Any, plan: Any, /, app: Any) -> Any:
        return engine, plan, app

    assert call(function) == ("E", "P", "A")


def test_var_keywords_get_everything_together_with_named_ones() -> None:
    def function(app: Any, *rest: Any, **kwargs: Any) -> Any:
        return app, rest, kwargs

    assert call(function) == ("A", (), {"engine": "E", "connection": "C", "plan": "P", "result": "R"})


def test_an_unknown_parameter_with_a_default_keeps_it() -> None:
    assert call(lambda engine, verbose=7: (engine, verbose)) == ("E", 7)


def test_an_unknown_required_parameter_names_hook_and_parameter() -> None:
    with pytest.raises(HookFailed) as caught:
        hook_arguments(hook(lambda site: site), OFFERED)
    assert "before_sync of app crm" in caught.value.what
    assert "'site'" in caught.value.what
    assert "connection" in caught.value.next_step


def test_something_that_is_no_function_is_told() -> None:
    with pytest.raises(HookFailed, match="before_sync of app crm"):
        hook_arguments(hook(42), OFFERED)


def test_methods_partials_and_wrapped_functions_are_looked_through() -> None:
    class Hooks:
        def before(self, engine: Any) -> Any:
            return engine

        async def __call__(self, engine: Any) -> Any:
            return engine

    async def coroutine(engine: Any, site: Any) -> Any:
        return engine, site

    @functools.wraps(coroutine)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return coroutine(*args, **kwargs)

    assert call(Hooks().before) == "E"
    assert not is_async_hook(hook(Hooks().before))
    assert is_async_hook(hook(Hooks()))
    assert is_async_hook(hook(functools.partial(coroutine, site=1)))
    assert is_async_hook(hook(wrapper))
    assert not is_async_hook(hook(print))
