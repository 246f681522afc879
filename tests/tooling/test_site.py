"""The documentation as a site, and the tests that docs/seeds.md names."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.waiting import PROGRAM_LIMIT

ROOT = Path(__file__).resolve().parents[2]
PROMISED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/seeds.md").read_text(encoding="utf-8"))


def test_each_promise_of_the_seeds_is_held_by_a_test_that_exists() -> None:
    assert len(PROMISED) > 30
    files = {file: (ROOT / file).read_text(encoding="utf-8") for file, _ in PROMISED}
    assert [(file, name) for file, name in PROMISED if f"def {name}(" not in files[file]] == []


@pytest.mark.slow
def test_the_site_is_built_with_strict_links_and_loads_nothing_from_other_hosts() -> None:
    make = shutil.which("make")
    assert make is not None, "make is missing"
    done = subprocess.run([make, "docs"], cwd=ROOT, capture_output=True, text=True, timeout=PROGRAM_LIMIT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    site = ROOT / "build/site"
    pages = {page.relative_to(site).as_posix(): page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert {"index.html", "tutorial.html", "api.html", "examples/deploy.html", "adr/index.html"} <= set(pages)
    assert 'id="framework_m_migrations.MigrationManager"' in pages["api.html"]
    loaded = re.compile(
        r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b[^>]*href=["']?https?://"""
    )
    assert [name for name, text in pages.items() if loaded.search(text)] == []
    styles = [sheet.read_text(encoding="utf-8") for sheet in site.rglob("*.css")]
    assert not any(re.search(r"url\(\s*[\"']?https?://|@import", sheet) for sheet in styles)
