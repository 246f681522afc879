"""Framework M's DocTypes as a schema source hold the contract."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.doctypes.framework_m.source import FrameworkMSource
from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from framework_m_migrations.testing import SchemaSourceContract
from tests.framework_m.conftest import MakeApp
from tests.framework_m.conftest import host as host
from tests.framework_m.conftest import make_app as make_app

pytestmark = pytest.mark.framework_m

HEADER = "from framework_m_core.domain.base_doctype import BaseDocType, Field\n"
TASK = "class Task(BaseDocType):\n    title: str\n"
NOTE = "class Note(BaseDocType):\n    body: str = Field(default='', max_length={})\n"
PERSON = "class Person(BaseDocType):\n    email: str | None = None\n"
TWIN = "class Twin(BaseDocType):\n    title: str\n    class Meta:\n        table_name = 'task'\n"


class DocTypeSources:
    def __init__(self, make_app: MakeApp) -> None:
        self._make_app = make_app

    def _source(self, *doctypes: str) -> FrameworkMSource:
        app = self._make_app("contract_app", {"doctypes/all.py": HEADER + "\n\n".join(doctypes)})
        target = Target.of(sa.create_engine("sqlite://").dialect, SqliteDialect())
        return FrameworkMSource([app], target, include_core=False)

    def plain(self) -> FrameworkMSource:
        return self._source(TASK, NOTE.format(140), PERSON)

    def reordered(self) -> FrameworkMSource:
        return self._source(PERSON, TASK, NOTE.format(140))

    def changed(self) -> FrameworkMSource:
        return self._source(TASK, NOTE.format(200), PERSON)

    def contradictory(self) -> FrameworkMSource:
        return self._source(TASK, TWIN)

    def broken(self) -> FrameworkMSource:
        return self._source(TASK, "raise ValueError('on purpose')")


class DocTypes:
    adapter = "framework-m doctypes"

    @pytest.fixture
    def sources(self, make_app: MakeApp) -> DocTypeSources:
        return DocTypeSources(make_app)


class TestDocTypes(DocTypes, SchemaSourceContract): ...
