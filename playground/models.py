"""From the texts of models to their tables."""

from __future__ import annotations

import sys
import traceback
from types import ModuleType
from typing import Any

import sqlalchemy as sa


class SourceError(Exception):
    """A text cannot be executed, or there is no table in any.

    Attributes:
        app: whose text it is.
        line: where, counted from 1; None when that is not known.
    """

    def __init__(self, what: str, app: str = "", line: int | None = None) -> None:
        super().__init__(what)
        self.app = app
        self.line = line


def metadata_of(files: dict[str, str]) -> tuple[sa.MetaData, ...]:
    """Execute each text as the module ``models`` of its app; the tables of their DocTypes and SQLAlchemy models.

    A text can import those before it: ``from shop.models import Base``.

    Raises:
        SourceError: see there.
    """
    given = {app: text for app, text in files.items() if text.strip()}
    for app in files:
        sys.modules.pop(f"{app}.models", None)
    modules = {app: _executed(app, text) for app, text in given.items()}
    found: list[sa.MetaData] = []
    for app, module in modules.items():
        try:
            for metadata in _models(module):
                _belongs(app, module, metadata)
                found += [metadata] if metadata not in found else []
        except Exception as error:
            raise SourceError(f"{type(error).__name__}: {error}", app) from error
    try:
        found += _doctypes(modules)
    except Exception as error:
        raise SourceError(f"{type(error).__name__}: {error}") from error
    if not any(metadata.tables for metadata in found):
        raise SourceError("There is no DocType and no SQLAlchemy model with a table in this text.")
    return tuple(metadata for metadata in found if metadata.tables)


def _executed(app: str, text: str) -> ModuleType:
    module = ModuleType(f"{app}.models")
    sys.modules[module.__name__] = module  # where annotations are looked up
    file = f"<{app}/models.py>"
    try:
        exec(compile(text, file, "exec"), module.__dict__)
    except SyntaxError as error:
        raise SourceError(f"SyntaxError: {error.msg}", app, error.lineno) from error
    # Whatever the text raises is shown beside it.
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        raise SourceError(f"{type(error).__name__}: {error}", app, lines[-1] if lines else None) from error
    return module


def _models(module: ModuleType) -> list[sa.MetaData]:
    values = list(vars(module).values())
    # Of declarative bases and models, which have it as an attribute.
    candidates = [*values, *(getattr(value, "metadata", None) for value in values if isinstance(value, type))]
    found = {id(value): value for value in candidates if isinstance(value, sa.MetaData) and value.tables}
    return list(found.values())


def _belongs(app: str, module: ModuleType, metadata: sa.MetaData) -> None:
    """Tables are those of the app whose module defines their class, else of the first that has their MetaData."""
    own = _tables(module)
    others = [other for name, other in list(sys.modules.items()) if name.endswith(".models") and other is not module]
    elsewhere = {table for other in others for table in _tables(other)}
    for table in metadata.tables.values():
        if table in own or table not in elsewhere:
            table.info.setdefault("app", app)


def _tables(module: ModuleType) -> set[Any]:
    """Those of the classes that the module defines."""
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    return {vars(one)["__table__"] for one in classes if one.__module__ == module.__name__ and "__table__" in vars(one)}


def _doctypes(modules: dict[str, ModuleType]) -> list[sa.MetaData]:
    if not any("BaseDocType" in vars(module) for module in modules.values()):
        return []
    from framework_m_core.domain.base_doctype import BaseDocType

    from framework_m_migrations.adapters.doctypes.framework_m.classes import DocType, child_models
    from framework_m_migrations.adapters.doctypes.framework_m.source import schema_mapper
    from framework_m_migrations.adapters.doctypes.framework_m.tables import map_doctypes

    models = {
        value: app
        for app, module in modules.items()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseDocType) and value.__module__ == module.__name__
    }
    doctypes = [
        DocType(
            model.get_doctype_name(),
            app,
            model,
            tuple(parent.get_doctype_name() for parent in models if model in child_models(parent)),
        )
        for model, app in models.items()
    ]
    mapped = map_doctypes(doctypes, schema_mapper()) if doctypes else []
    for doctype in mapped:
        for table in doctype.tables:
            table.info.setdefault("app", doctype.doctype.app)
    return list({id(one): one for doctype in mapped for table in doctype.tables for one in [table.metadata]}.values())


def import_doctypes() -> None:
    """Import what DocTypes need, so that reading a text takes only its own time."""
    from framework_m_migrations.adapters.doctypes.framework_m import classes, source, tables  # noqa: F401

    source.schema_mapper()


def standard_columns() -> set[str]:
    """Columns that every DocType has; empty while nothing has loaded Framework M."""
    base = sys.modules.get("framework_m_core.domain.base_doctype")
    return set() if base is None else {*base.BaseDocType.model_fields, "custom_fields"}
