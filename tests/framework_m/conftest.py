"""Apps of Framework M, made as real packages with real metadata, and a host that forgets them after each test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from framework_m_migrations.adapters.filesystem import FilesystemDiscovery
from framework_m_migrations.ports.app_discovery import App

type MakeApp = Callable[..., App]


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    """The host's registries live as long as the process; each test starts and ends with empty ones."""
    from framework_m_core.metadata_decorator import MetadataDecoratorRegistry
    from framework_m_core.registry import MetaRegistry
    from framework_m_standard.adapters.db.table_registry import TableRegistry

    def clear() -> None:
        MetaRegistry.get_instance().clear()
        MetadataDecoratorRegistry.get_instance().clear()
        TableRegistry().reset()

    clear()
    yield
    clear()


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeApp]:
    """Write an app as pip would have installed it, and find it as the engine does.

    The function takes the package's name, its files (relative path to source text), and the name of the entry point
    with what it refers to, by default both the package.
    """
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    packages: set[str] = set()

    def make(
        package: str,
        files: Mapping[str, str],
        *,
        name: str | None = None,
        reference: str | None = None,
        overrides: Mapping[str, str] | None = None,
    ) -> App:
        packages.add(package)
        forget(package)
        for path, text in {"__init__.py": "app = object()\n", **files}.items():
            file = site / package / path
            file.parent.mkdir(parents=True, exist_ok=True)
            for folder in file.relative_to(site).parents:
                if folder.parts:
                    (site / folder / "__init__.py").touch()
            file.write_text(dedent(text), encoding="utf-8")
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
        lines = ["[framework_m.apps]", f"{name or package} = {reference or f'{package}:app'}"]
        lines += ["[framework_m.overrides]", *(f"{key} = {value}" for key, value in (overrides or {}).items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        importlib.invalidate_caches()
        found = FilesystemDiscovery([name or package]).apps()
        assert len(found) == 1
        return found[0]

    yield make
    for package in packages:
        forget(package)


def forget(package: str) -> None:
    """Take a package's modules out of the process, so that its files are read again."""
    for module in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[module]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.framework_m)
