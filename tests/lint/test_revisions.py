"""lint over real revision files, with and without squawk."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.dialects.postgresql.lint.rules import ACTIONS, STATEMENTS
from framework_m_migrations.cli import main
from framework_m_migrations.domain.errors import UnknownRevision
from framework_m_migrations.domain.lint import LintResult, Severity
from tests.versions.support import Apps

FIRST, SECOND, THIRD = "a00000000001", "a00000000002", "a00000000003"


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apps]:
    root = tmp_path / "apps"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    made = Apps(root)
    made.revision(
        "wms",
        FIRST,
        """
        op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.String(80)))
        op.create_index("ix_note", "orders", ["note"])
        """,
    )
    yield made
    for name in [module for module in sys.modules if module.partition(".")[0] in made.names]:
        del sys.modules[name]


def lint(apps: Apps, *names: str, use_squawk: bool = False) -> LintResult:
    settings = MigrationSettings(apps=tuple(apps.names), path=apps.root)
    return MigrationManager(settings).lint(*names, use_squawk=use_squawk)


def codes(result: LintResult) -> list[tuple[str, int | None]]:
    return [(finding.rule, finding.line) for finding in result.findings]


def test_findings_have_rule_line_table_and_a_way_out(apps: Apps) -> None:
    file = apps.revision(
        "wms",
        SECOND,
        """
        op.create_index("ix_id", "orders", ["id"])
        for column in ("note",):
            op.alter_column(
                "orders", column, nullable=False,
            )
        op.execute("DROP TABLE IF EXISTS a; UPDATE orders SET note = '%(x)s y'")
        """,
        down=FIRST,
    )
    result = lint(apps)
    assert result.revisions == (FIRST, SECOND)
    assert codes(result) == [("L101", 10), ("L106", 12), ("L204", 15), ("L301", 15)]
    assert result.failed
    first = result.findings[0]
    assert (first.revision, first.app, first.file, first.table) == (SECOND, "wms", str(file), "orders")
    assert "create_index_concurrently" in first.next_step
    assert result.findings[2].statement == "UPDATE orders SET note = '%(x)s y'"


def test_helpers_are_passed_and_what_they_destroy_is_shown(apps: Apps) -> None:
    apps.revision(
        "wms",
        SECOND,
        """
        from framework_m_migrations import online
        online.create_index_concurrently("ix_id", "orders", ["id"], unique=True)
        online.add_foreign_key("fk", "orders", "orders", ["id"], ["id"])
        online.add_check("ck", "orders", "id > 0")
        online.add_unique("uq", "orders", ["note"])
        online.set_not_null("orders", "note", fill="''")
        online.backfill("orders", {"note": "'100%'"}, where="note = ''")
        online.add_enum_value("mood", "so; so")
        online.drop_index_concurrently("ix_note", "orders")
        online.execute("ALTER TABLE orders DROP COLUMN note")
        """,
        down=FIRST,
    )
    assert codes(lint(apps, use_squawk=True)) == [("L302", 19)]


def test_a_contract_revision_may_drop_what_its_header_names_and_nothing_else(apps: Apps) -> None:
    upgrade = 'op.drop_column("orders", "note")\nop.drop_column("orders", "other")'
    file = apps.revision("wms", SECOND, upgrade, down=FIRST)
    by_hand = lint(apps, SECOND).findings
    assert [finding.severity for finding in by_hand] == [Severity.ERROR, Severity.ERROR]
    header = f'contract_of = {FIRST!r}\ndrops = (("orders", "note"),)\ndef upgrade'
    file.write_text(file.read_text(encoding="utf-8").replace("def upgrade", header), encoding="utf-8")
    declared, other = lint(apps, SECOND).findings
    assert (declared.rule, declared.severity) == ("L302", Severity.WARNING)
    assert "create --online" not in declared.next_step
    assert (other.rule, other.severity) == ("L302", Severity.ERROR)


def test_commit_by_hand_points_to_the_helper(apps: Apps) -> None:
    apps.revision(
        "wms",
        SECOND,
        """
        op.execute("COMMIT")
        op.execute("CREATE INDEX CONCURRENTLY ix_a ON orders (id)")
        """,
        down=FIRST,
    )
    apps.revision(
        "wms",
        THIRD,
        """
        with op.get_context().autocommit_block():
            op.create_index("ix_b", "orders", ["id"], postgresql_concurrently=True)
        op.execute("CREATE INDEX CONCURRENTLY ix_c ON orders (id)")
        """,
        down=SECOND,
    )
    result = lint(apps)
    assert codes(result) == [("L401", 10), ("L402", 12)]
    assert result.findings[0].severity is Severity.WARNING
    assert "framework_m_migrations.online" in result.findings[0].next_step


def test_what_needs_a_database_is_judged_up_to_there(apps: Apps) -> None:
    apps.revision(
        "wms",
        SECOND,
        """
        op.drop_column("orders", "note")
        bind = op.get_bind()
        with bind.begin_nested(): bind.exec_driver_sql("DELETE FROM orders WHERE note = 'a:b'")
        bind.commit()
        bind.execute(sa.text("SELECT 1")).scalar()
        op.drop_table("orders")
        """,
        down=FIRST,
    )
    result = lint(apps)
    assert codes(result) == [("L302", 10), ("L303", 12), ("L403", 14)]
    assert "it reads rows" in result.findings[2].what
    apps.revision("wms", THIRD, "sa.inspect(op.get_bind())", down=SECOND)
    assert "it inspects the database" in lint(apps, THIRD).findings[0].what


def test_a_comment_allows_a_rule_at_its_line(apps: Apps) -> None:
    apps.revision(
        "wms",
        SECOND,
        """
        op.drop_column("orders", "note")  # m-migrate: allow L302 -- empty since May
        # m-migrate: allow L301, squawk:ban-drop-table
        op.drop_table("orders")
        op.drop_table("others")  # m-migrate: allow L302
        """,
        down=FIRST,
    )
    assert codes(lint(apps, use_squawk=True)) == [("L301", 13)]


def test_revisions_are_chosen_by_id_or_file(apps: Apps) -> None:
    file = apps.revision("wms", SECOND, 'op.drop_table("orders")', down=FIRST)
    assert lint(apps, str(file)).revisions == lint(apps, SECOND).revisions == (SECOND,)
    with pytest.raises(UnknownRevision, match="no revision"):
        lint(apps, "nothing.py")
    with pytest.raises(UnknownRevision, match="several"):
        lint(apps, "a0000")


def test_squawk_adds_its_own_rules_once(apps: Apps) -> None:
    apps.revision(
        "wms",
        SECOND,
        """
        op.execute("CREATE INDEX ix ON orders (note)")
        op.execute("ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0)")
        """,
        down=FIRST,
    )
    result = lint(apps, use_squawk=True)
    assert result.squawk
    assert result.squawk[0].isdigit()
    assert codes(result) == [("L101", 10), ("squawk:ban-alter-domain-with-add-constraint", 11)]
    assert codes(lint(apps)) == [("L101", 10)]


def test_the_command(apps: Apps, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    apps.revision("wms", SECOND, 'op.drop_table("orders")', down=FIRST)
    options = ["--apps", "wms", "--path", str(apps.root), "--no-squawk"]
    assert main(["lint", FIRST, *options]) == 0
    assert "1 revision judged for PostgreSQL (own rules): 0 errors, 0 warnings." in capsys.readouterr().out
    assert main(["lint", *options]) == 3
    text = capsys.readouterr().out
    assert "line 10: error L301 Table orders goes, with its rows." in text
    assert main(["lint", "--json", *options]) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["command"], document["failed"], document["squawk"]) == ("lint", True, None)
    assert document["findings"][0]["rule"] == "L301"
    assert main(["lint", "none", *options]) == 1
    assert list(apps.root.glob("*.db")) == []


def test_the_database_of_the_url_says_which_rules_hold(apps: Apps) -> None:
    body = """
        op.create_index("ix_id", "orders", ["id"])
        op.add_column("orders", sa.Column("code", sa.Integer, nullable=False))
        op.drop_column("orders", "note")
        """
    apps.revision("wms", SECOND, body, down=FIRST)
    found = {}
    for url in ("", "sqlite:///none.db", "mariadb+pymysql://none/none"):
        settings = MigrationSettings(apps=("wms",), path=apps.root, database_url=url)
        result = MigrationManager(settings).lint(SECOND)
        found[result.database] = {one.rule for one in result.findings if one.rule.startswith("L")}
        assert (result.squawk is None) is (url != ""), "squawk knows PostgreSQL only"
    assert found == {"PostgreSQL": {"L101", "L107", "L302"}, "SQLite": {"L107", "L302"}, "MariaDB": {"L302"}}


def test_do_blocks_are_looked_into(apps: Apps) -> None:
    apps.revision(
        "wms",
        SECOND,
        """
        op.execute("CREATE TABLE fresh (id int); SELECT 1")
        op.execute(\"\"\"DO $$ BEGIN
            IF true THEN DROP TABLE orders; UPDATE fresh SET id = 1; END IF;
            CREATE INDEX CONCURRENTLY ix ON orders (id);
            EXECUTE 'ALTER TABLE orders DROP COLUMN ' || x;
        END $$; DROP TABLE others\"\"\")
        op.execute("CREATE FUNCTION mend() RETURNS void LANGUAGE sql AS $$ TRUNCATE orders $$")
        op.execute("SELECT mend()")
        op.execute("CALL archive()")
        """,
        down=FIRST,
    )
    result = lint(apps)
    # Python tells the line on which a call with a text of several lines begins.
    assert codes(result) == [
        ("L301", 11),
        ("L301", 11),
        ("L402", 11),
        ("L404", 11),
        ("L404", 17),
        ("L404", 18),
    ]
    told = {finding.rule: finding for finding in result.findings if finding.line == 11}
    assert told["L404"].severity is Severity.WARNING
    assert "EXECUTE" in told["L404"].what
    assert {finding.statement for finding in result.findings if finding.rule == "L301"} == {
        "DROP TABLE orders",
        "DROP TABLE others",
    }


def test_a_downgrade_is_judged_by_warnings_and_may_undo(apps: Apps) -> None:
    apps.revision(
        "wms",
        SECOND,
        """
        op.create_table("fresh", sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.Text))
        op.create_index("ix_fresh", "fresh", ["note"])
        op.execute("CREATE TYPE mood AS ENUM ('a')")
        op.add_column("orders", sa.Column("extra", sa.Text))
        """,
        """
        op.drop_column("orders", "extra")
        op.drop_index("ix_fresh", "fresh")
        op.drop_table("fresh")
        op.execute("DROP TYPE mood")
        op.drop_column("orders", "note")
        op.create_index("ix_id", "orders", ["id"])
        op.execute("DO $$ BEGIN EXECUTE x; END $$")
        op.drop_table("others")  # m-migrate: allow D301
        op.get_bind().execute(sa.text("SELECT 1")).scalar()
        """,
        down=FIRST,
    )
    result = lint(apps, use_squawk=True)
    assert codes(result) == [("D302", 19), ("D101", 20), ("D404", 21), ("D403", 23)]
    assert {finding.severity for finding in result.findings} == {Severity.WARNING}
    assert all(finding.what.startswith("In downgrade(): ") for finding in result.findings)
    assert not result.failed


def test_every_code_is_documented() -> None:
    """Rules of the tables, and those that the judge writes by itself."""
    text = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| (L\d+) \|", text, re.MULTILINE))
    assert documented == {rule.code for rule in (*STATEMENTS, *ACTIONS)} | {"L401", "L402", "L403", "L404"}
