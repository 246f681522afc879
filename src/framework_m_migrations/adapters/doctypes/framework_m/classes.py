"""The DocType classes of apps, as the host would use them, and the modules in which they are declared."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, get_args, get_origin

from framework_m_core.domain.base_doctype import BaseDocType
from framework_m_core.metadata_decorator import MetadataDecoratorRegistry
from framework_m_core.registry import MetaRegistry
from pydantic.fields import FieldInfo

from framework_m_migrations.domain.errors import AppBroken, InvalidMetadata
from framework_m_migrations.ports.app_discovery import App

CORE = App("framework_m_core", "framework_m_core")
"""The host's own DocTypes, which every Framework M process loads before any app's."""


def doctype_modules(app: App) -> list[ModuleType]:
    """All modules of an app's ``doctypes`` package (or module), imported; empty when it has none.

    Raises:
        AppBroken: the app's package or one of the modules failed to import; names the module, chains the failure.
    """
    import_strictly(app, app.package)
    name = f"{app.package}.doctypes"
    if not _exists(app, name):
        return []
    root = import_strictly(app, name)
    path = getattr(root, "__path__", None)
    return [root] if path is None else list(_walk(app, root))


def _walk(app: App, package: ModuleType) -> Iterator[ModuleType]:
    """The modules under a package, depth first, in the order of their names, as pkgutil.walk_packages has it."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        try:
            module = import_strictly(app, found.name)
        except AppBroken as error:
            if _is_test_without_its_tools(app, found.name, error.__cause__):
                continue
            raise
        yield module
        if found.ispkg:
            yield from _walk(app, module)


def import_strictly(app: App, name: str) -> ModuleType:
    """Import a module of an app.

    Raises:
        AppBroken: it failed, whatever the reason was.
    """
    try:
        return importlib.import_module(name)
    # An app's module is code of somebody else's: whatever it raises must be reported by name, never passed over.
    except Exception as error:
        raise AppBroken(
            f"The DocTypes of app {app.name!r} cannot be loaded: importing {name} failed with "
            f"{type(error).__name__}: {error}{_place(error)}.",
            details={"app": app.name, "module": name},
        ) from error


def _exists(app: App, name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            return False
        raise AppBroken(
            f"The DocTypes of app {app.name!r} cannot be looked up: {name}: {error}.",
            details={"app": app.name, "module": name},
        ) from error


def _is_test_without_its_tools(app: App, name: str, error: BaseException | None) -> bool:
    """True for a test module beside its DocType that only lacks the tools of a development environment.

    Apps keep ``test_invoice.py`` next to ``invoice.py``; on a server without pytest it cannot be imported and need not.
    """
    last = name.rpartition(".")[2]
    if not (last.startswith("test_") or last.endswith("_test") or last in {"conftest", "tests"}):
        return False
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return missing is not None and missing.partition(".")[0] != app.package.partition(".")[0]


def _place(error: BaseException) -> str:
    """Where the import failed: the line of the module itself, or of what it imports."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename not in {importlib.__file__, __file__}
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


# The DocType classes of apps, as the host would use them: overrides and fields added at boot included.


@dataclass(frozen=True, slots=True)
class DocType:
    """A DocType by the name under which the host knows it.

    Attributes:
        name: the host's name of it.
        app: name of the app that declares it.
        model: the class with all its fields.
        parents: names of DocTypes that keep rows of it as a child table.
    """

    name: str
    app: str
    model: type[BaseDocType]
    parents: tuple[str, ...] = ()

    @property
    def has_table(self) -> bool:
        """False for virtual DocTypes (``create_schema = False``)."""
        return bool(self.model._meta_config.create_schema)  # noqa: SLF001 - the host gives no other way

    def meta(self, key: str) -> Any:
        """A value of ``class Meta``, keys that the host does not know included; None when it is not there."""
        return getattr(self.model._meta_config, key, None)  # noqa: SLF001


def load_doctypes(apps: Sequence[App]) -> tuple[DocType, ...]:
    """Load all DocTypes of apps through the host's MetaRegistry.

    Args:
        apps: in the order in which the host shall load them.

    Returns:
        DocTypes in order of declaration, child DocTypes that no module registers included.

    Raises:
        AppBroken: a module failed to import.
        InvalidMetadata: two classes share the name of one DocType, or a field's annotation cannot be resolved.
    """
    registry = MetaRegistry.get_instance()
    declared: dict[str, DocType] = {}
    for app in apps:
        modules = doctype_modules(app)
        registry.load_apps([app.package])
        for name, model in _declared(app, modules, registry):
            found = DocType(name, _owner(model, apps, app), model)
            _refuse_twins(declared.setdefault(name, found), found, registry)
    _complete(declared.values())
    known = [replace(d, model=_augmented(_current(d, registry))) for d in declared.values()]
    return _complete(_with_children(known))


def _complete[T: Iterable[DocType]](doctypes: T) -> T:
    """The same DocTypes, each annotation resolved; the host would make a text column of one that is not.

    What a module imports for type checkers only is found among the DocTypes by its name.
    """
    names = {doctype.name: doctype.model for doctype in doctypes}
    for doctype in doctypes:
        if doctype.model.__pydantic_complete__:
            continue
        try:
            doctype.model.model_rebuild(_types_namespace=names)
        # An annotation is any expression: whatever it raises is reported with its place.
        except Exception as error:
            raise _unresolved(doctype, error) from error
    return doctypes


def _unresolved(doctype: DocType, error: Exception) -> InvalidMetadata:
    missing = getattr(error, "name", None)
    open_ = {name: repr(field.annotation) for name, field in doctype.model.model_fields.items() if not _is_done(field)}
    named = [name for name, text in open_.items() if missing and re.search(rf"\b{re.escape(missing)}\b", text)]
    field = next(iter(named or open_), "")
    reason = f"name {missing!r} is not defined" if missing else str(error).partition("\n")[0]
    return InvalidMetadata(
        f"The annotation of {doctype.model.__qualname__}.{field} (app {doctype.app}) cannot be resolved: {reason}"
        f"{_line_of(doctype.model, field)}.",
        next_step="Import the name in the module, or correct the annotation.",
        details={"app": doctype.app, "doctype": doctype.name, "field": field},
    )


def _is_done(field: FieldInfo) -> bool:
    return "ForwardRef(" not in repr(field.annotation)


def _line_of(model: type[BaseDocType], field: str) -> str:
    try:
        lines, first = inspect.getsourcelines(model)
        file = inspect.getsourcefile(model)
    except (OSError, TypeError):
        return f" ({model.__module__})"
    number = next((n for n, line in enumerate(lines, first) if re.match(rf"\s+{re.escape(field)}\s*:", line)), first)
    return f" ({file}, line {number})"


def _declared(
    app: App, modules: Iterable[ModuleType], registry: MetaRegistry
) -> Iterator[tuple[str, type[BaseDocType]]]:
    """What the host registers for an app: all that its modules hold, imports too, and what it registered by hand."""
    for module in modules:
        for _, found in inspect.getmembers(module, _is_doctype):
            yield found.get_doctype_name(), found
    for name in registry.list_doctypes():
        model = registry.get_doctype(name)
        if _is_within(model, app) and not _is_within(model, replace(app, package=f"{app.package}.doctypes")):
            yield name, model


def _is_doctype(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, BaseDocType) and found is not BaseDocType


def _is_within(model: type[BaseDocType], app: App) -> bool:
    return model.__module__ == app.package or model.__module__.startswith(f"{app.package}.")


def _owner(model: type[BaseDocType], apps: Sequence[App], finder: App) -> str:
    """The app whose package declares a class; a class from elsewhere belongs to the app that brings it in."""
    owners = [app for app in apps if _is_within(model, app)]
    return max(owners, key=lambda app: len(app.package)).name if owners else finder.name


def _refuse_twins(first: DocType, second: DocType, registry: MetaRegistry) -> None:
    """The host keeps the first of two DocTypes of one name and forgets the other, table and all, without a word."""
    if first.model.__module__ == second.model.__module__ or not second.has_table:
        return
    if registry.get_override_class(second.name) in {first.model, second.model}:
        return
    raise InvalidMetadata(
        f"Two DocTypes are called {second.name!r}: one in {first.model.__module__}, one in {second.model.__module__}.",
        next_step="Rename one of them, or register the second with MetaRegistry.register_override.",
        details={"doctype": second.name, "modules": [first.model.__module__, second.model.__module__]},
    )


def _current(doctype: DocType, registry: MetaRegistry) -> type[BaseDocType]:
    """The class that the host uses under a name: the override, or the one with baked-in fields."""
    if doctype.name not in registry.list_doctypes():
        return doctype.model
    current = registry.get_doctype(doctype.name)
    if issubclass(current, doctype.model):
        return current
    if current.__module__ == doctype.model.__module__:
        # The module was imported anew since it was registered; its own word is the newer one.
        return doctype.model
    _refuse_twins(replace(doctype, model=current), doctype, registry)
    return current


def _augmented(model: type[BaseDocType]) -> type[BaseDocType]:
    """The class with the fields that other apps registered for it.

    The host bakes them in at the end of its boot and refuses registrations from then on. Here each load makes a class
    of its own and leaves the registry as open as it was.
    """
    registry = MetadataDecoratorRegistry.get_instance()
    locked = registry._locked  # noqa: SLF001 - bake() sets it, and nothing else resets it
    try:
        return registry.bake(model)
    finally:
        registry._locked = locked  # noqa: SLF001


def _with_children(known: Sequence[DocType]) -> tuple[DocType, ...]:
    """The DocTypes and all classes that they keep as child tables; a virtual DocType keeps none."""
    found = {doctype.name: doctype for doctype in known}
    queue = list(known)
    while queue:
        parent = queue.pop(0)
        if not parent.has_table:
            continue
        for model in child_models(parent.model):
            name = model.get_doctype_name()
            child = found.get(name)
            if child is None:
                child = DocType(name, parent.app, _augmented(model))
                queue.append(child)
            elif not (issubclass(child.model, model) or child.model.__module__ == model.__module__):
                raise InvalidMetadata(
                    f"The child table {name!r} of {parent.name!r} is declared in {model.__module__}, and a DocType of "
                    f"the same name in {child.model.__module__}.",
                    details={"doctype": name, "modules": [model.__module__, child.model.__module__]},
                )
            found[name] = replace(child, parents=(*child.parents, parent.name))
    return tuple(found.values())


def child_models(model: type[BaseDocType]) -> list[type[BaseDocType]]:
    """The classes of fields declared as ``list[ChildDocType]``."""
    found: list[type[BaseDocType]] = []
    for field in model.model_fields.values():
        arguments = get_args(field.annotation) if get_origin(field.annotation) is list else ()
        if arguments and isinstance(arguments[0], type) and issubclass(arguments[0], BaseDocType):
            found.append(arguments[0])
    return found
