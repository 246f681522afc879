"""A contract revision waits for ``run --contract``."""

from __future__ import annotations

import pytest

from tests.cli._program import Project

TEXT = """
revision = "aa03"
down_revision = "aa02"
contract_of = "aa02"

def upgrade():
    pass

def downgrade():
    pass
"""


@pytest.mark.slow
def test_a_contract_revision_waits_until_it_is_asked_for(apps: Project) -> None:
    shop = ("--apps", "shop")
    apps.run("run", *shop, "--revision", "aa01")
    versions = next(apps.path.rglob("aa02*.py")).parent
    (versions / "aa03.py").write_text(TEXT)
    first = apps.run("run", *shop)
    assert first.code == 0
    assert "1 revision held back: aa03." in first.out
    again = apps.run("run", *shop, "--json").json
    assert (again["revisions"], again["held"]) == ([], ["aa03"])
    assert apps.run("status", *shop, "--ready").code == 3  # what only sync creates is missing
    assert apps.run("sync", *shop).code == 0
    ready = apps.run("status", *shop, "--ready", "--json")
    assert (ready.json["contract_due"], ready.json["ready"], ready.code) == (["aa03"], True, 0)
    assert "contract-due" in apps.run("verify", *shop).out
    checks = {one["name"]: one for one in apps.run("doctor", *shop, "--json").json["checks"]}
    assert checks["revisions"]["ok"]
    assert checks["revisions"]["found"].endswith("--contract`: aa03")
    assert apps.run("run", *shop, "--contract", "--json").json["revisions"] == ["aa03"]
    assert apps.run("run", *shop, "--json").json["held"] == []
