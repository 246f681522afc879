"""The corpus, read through its own loader."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa

type Record = dict[str, Any]


class Corpus(Protocol):
    """What the corpus's load.py offers."""

    def points(self) -> list[str]: ...

    def metadata_for(self, *wanted: str) -> sa.MetaData: ...

    def table_for(self, record: Record, metadata: sa.MetaData) -> sa.Table | None: ...

    def replay(self, stream: str) -> Iterator[tuple[Record, dict[str, Record]]]: ...


@pytest.fixture(scope="session")
def corpus(corpus_root: Path) -> Corpus:
    """The loader, which is data's own and stays where the data is."""
    spec = importlib.util.spec_from_file_location("framework_m_corpus_load", corpus_root / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded: Corpus = module
    return loaded


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.corpus)
