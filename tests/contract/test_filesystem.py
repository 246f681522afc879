"""Discovery of apps and hooks in real packages holds every contract."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from framework_m_migrations.adapters.filesystem import FilesystemDiscovery, FilesystemHooks
from framework_m_migrations.testing import AppDiscoveryContract, HookRegistryContract


class Packages:
    """Writes packages into a folder that is on sys.path; modules imported from it are forgotten after the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.called: list[str] = []

    def write(self, name: str, files: Mapping[str, str]) -> None:
        for path, text in {"__init__.py": "", **files}.items():
            file = self.root / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()

    def installed(self, layouts: Mapping[str, Sequence[str]]) -> FilesystemDiscovery:
        for name, folders in layouts.items():
            self.write(name, {f"{folder}/0001_first.py": "revision = '0001'\n" for folder in folders})
        return FilesystemDiscovery(list(layouts))

    def missing(self) -> FilesystemDiscovery:
        return FilesystemDiscovery(["nowhere_at_all"])

    def broken(self) -> FilesystemDiscovery:
        (self.root / "ruined").mkdir()  # without __init__.py it is no package of anybody's
        importlib.invalidate_caches()
        return FilesystemDiscovery(["ruined"])


class HookPackages(Packages):
    def declared(self, hooks: Mapping[str, Sequence[str]]) -> FilesystemHooks:
        for app, names in hooks.items():
            functions = "".join(f"def {name}():\n    CALLED.append('{app}.{name}')\n" for name in names)
            self.write(app, {"migrations/__init__.py": f"from {app} import CALLED\n{functions}"} if names else {})
            importlib.import_module(app).CALLED = self.called  # type: ignore[attr-defined]
        return FilesystemHooks(FilesystemDiscovery(list(hooks), installed=list))

    def broken(self) -> FilesystemHooks:  # type: ignore[override]
        self.write("ruined", {"migrations/__init__.py": "raise ValueError('on purpose')\n"})
        return FilesystemHooks(FilesystemDiscovery(["ruined"]))

    def calls(self) -> list[str]:
        return self.called


class Files:
    adapter = "filesystem"

    @pytest.fixture(autouse=True)
    def importable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(sys, "modules", dict(sys.modules))

    @pytest.fixture
    def discovery(self, tmp_path: Path) -> Packages:
        return Packages(tmp_path)

    @pytest.fixture
    def declared_hooks(self, tmp_path: Path) -> HookPackages:
        return HookPackages(tmp_path)


class TestAppDiscovery(Files, AppDiscoveryContract): ...


class TestHookRegistry(Files, HookRegistryContract): ...
