"""From the text of a class to its tables."""

from __future__ import annotations

import sys
import traceback
from types import ModuleType

import sqlalchemy as sa

FILE = "<your class>"


class SourceError(Exception):
    """The text cannot be executed or holds no tables.

    Attributes:
        line: where, counted from 1; None when that is not known.
    """

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what)
        self.line = line


def tables_of(source: str, app: str) -> sa.MetaData:
    """Execute the text as a module of the app; the tables of its DocTypes or SQLAlchemy models.

    Raises:
        SourceError: see there.
    """
    module = _executed(source, app)
    try:
        metadata = _doctypes(module, app) if "framework_m_core" in source else _models(module)
    except Exception as error:
        raise SourceError(f"{type(error).__name__}: {error}") from error
    if not metadata.tables:
        raise SourceError("There is no DocType and no SQLAlchemy model with a table in this text.")
    for table in metadata.tables.values():
        table.info.setdefault("app", app)
    return metadata


def _executed(source: str, app: str) -> ModuleType:
    module = ModuleType(f"{app}.doctypes")
    sys.modules[module.__name__] = module  # where annotations are looked up
    try:
        exec(compile(source, FILE, "exec"), module.__dict__)
    except SyntaxError as error:
        raise SourceError(f"SyntaxError: {error.msg}", error.lineno) from error
    # Whatever the text raises is shown beside it.
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FILE]
        raise SourceError(f"{type(error).__name__}: {error}", lines[-1] if lines else None) from error
    return module


def _models(module: ModuleType) -> sa.MetaData:
    values = list(vars(module).values())
    # Of declarative bases and models, which have it as an attribute.
    candidates = [*values, *(getattr(value, "metadata", None) for value in values if isinstance(value, type))]
    found = [value for value in candidates if isinstance(value, sa.MetaData)]
    return next((metadata for metadata in found if metadata.tables), sa.MetaData())


def _doctypes(module: ModuleType, app: str) -> sa.MetaData:
    from framework_m_core.domain.base_doctype import BaseDocType

    from framework_m_migrations.adapters.doctypes.framework_m.classes import DocType, child_models
    from framework_m_migrations.adapters.doctypes.framework_m.source import schema_mapper
    from framework_m_migrations.adapters.doctypes.framework_m.tables import map_doctypes

    models = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseDocType) and value.__module__ == module.__name__
    ]
    doctypes = [
        DocType(
            model.get_doctype_name(),
            app,
            model,
            tuple(parent.get_doctype_name() for parent in models if model in child_models(parent)),
        )
        for model in models
    ]
    mapped = map_doctypes(doctypes, schema_mapper())
    return mapped[0].tables[0].metadata if mapped else sa.MetaData()


def standard_columns() -> set[str]:
    """Columns that every DocType has; empty while nothing has loaded Framework M."""
    base = sys.modules.get("framework_m_core.domain.base_doctype")
    return set() if base is None else {*base.BaseDocType.model_fields, "custom_fields"}
