"""create and renames: what goes and what comes, asked about on a terminal, answered by --rename, else named."""

from __future__ import annotations

import pytest

from tests.cli._program import BASE, Project

pytestmark = pytest.mark.slow

APP = ("--app", "shop", "--apps", "shop")
COLUMN = BASE.replace('"title"', '"name"')
TABLE = BASE.replace('"customer"', '"client"')
BOTH = COLUMN.replace('"customer"', '"client"')


@pytest.fixture
def shop(project: Project) -> Project:
    """A synced table with a row, and an app for revisions."""
    project.app("shop")
    assert project.run("sync", "--quiet").code == 0
    project.query("INSERT INTO customer (id, title) VALUES (1, 'first')")
    return project


def upgrade_of(project: Project) -> str:
    [path] = (project.path / "shop" / "migrations" / "versions").glob("*.py")
    return path.read_text(encoding="utf-8").split("def upgrade")[1].split("def downgrade")[0]


def test_a_column_is_renamed_with_its_rows(shop: Project) -> None:
    shop.models(COLUMN)
    made = shop.run("create", "name", *APP, "--rename", "customer.title:name")
    assert made.code == 0, made.err
    assert 'new_column_name="name"' in upgrade_of(shop)
    assert "add_column" not in upgrade_of(shop)
    assert "drop_column" not in upgrade_of(shop)
    assert 'column customer.name: info={"renamed_from": "title"}' in made.out
    assert shop.run("run", "--apps", "shop").code == 0
    assert shop.query("SELECT id, name FROM customer") == [(1, "first")]
    assert shop.columns("customer") == ["id", "name"]
    assert shop.run("create", "again", *APP, "--json").json["revision"] is None
    shop.models(COLUMN.replace('"name"', '"other"'))
    later = shop.run("create", "later", *APP, "--dry-run").out
    assert 'batch_op.drop_column("name")' in later, "a renamed column is as much ours as it was"
    shop.models(COLUMN)
    assert shop.run("rollback", "--apps", "shop").code == 0
    assert shop.query("SELECT id, title FROM customer") == [(1, "first")]


def test_a_table_is_renamed_with_its_rows(shop: Project) -> None:
    shop.models(TABLE)
    made = shop.run("create", "client", *APP, "--rename", "customer:client", "--json").json
    assert made["renames"] == [{"table": "client", "from": "customer", "to": "client"}]
    assert 'op.rename_table("customer", "client")' in upgrade_of(shop)
    assert "create_table" not in upgrade_of(shop)
    assert shop.run("run", "--apps", "shop").code == 0
    assert shop.query("SELECT id, title FROM client") == [(1, "first")]
    assert "customer" not in shop.tables()


def test_on_a_terminal_it_is_offered(shop: Project) -> None:
    shop.models(COLUMN)
    made = shop.run_on_terminal("create", "name", *APP, typed="y\n")
    assert made.code == 0, made.out
    assert "Was column customer.title renamed to name (both VARCHAR(50))? [y/N]" in made.out
    assert 'new_column_name="name"' in upgrade_of(shop)
    assert "renamed_from" in made.out


def test_no_on_a_terminal_is_taken_as_an_answer(shop: Project) -> None:
    shop.models(COLUMN)
    made = shop.run_on_terminal("create", "name", *APP, typed="n\n")
    assert made.code == 0, made.out
    assert "add_column" in upgrade_of(shop)
    assert "drop_column" in upgrade_of(shop)
    assert "--rename" not in made.out


def test_one_answer_settles_what_it_rules_out(shop: Project) -> None:
    """Two columns come, one goes: after yes to the first pair the second is no question any more."""
    shop.models(COLUMN + 'customer.append_column(sa.Column("other", sa.String(20)))\n')
    made = shop.run_on_terminal("create", "name", *APP, typed="y\n")
    assert made.out.count("[y/N]") == 1
    assert 'new_column_name="name"' in upgrade_of(shop)
    assert '"other"' in upgrade_of(shop)


def test_without_a_terminal_it_is_named_and_not_asked(shop: Project) -> None:
    shop.models(COLUMN)
    made = shop.run("create", "name", *APP, "--json")
    assert made.code == 0
    assert made.json["review"][0] == (
        "customer.title goes and name comes (both VARCHAR(50)): if that is a rename, write the revision with "
        "`--rename customer.title:name`."
    )
    assert "add_column" in upgrade_of(shop)


def test_a_table_is_named_without_a_terminal_too(shop: Project) -> None:
    shop.models(TABLE)
    review = shop.run("create", "client", *APP, "--json", "--dry-run").json["review"]
    assert "table customer goes and client comes (2 of 2 columns are the same)" in review[0]
    assert "`--rename customer:client`" in review[0]


def test_what_is_of_another_type_is_no_candidate(shop: Project) -> None:
    shop.models(BASE.replace('"title", sa.String(50)', '"weight", sa.Float'))
    review = shop.run("create", "weight", *APP, "--json", "--dry-run").json["review"]
    assert not any("--rename" in line for line in review)


def test_what_else_differs_is_written_too_and_named(shop: Project) -> None:
    shop.models(BASE.replace('"title", sa.String(50)', '"name", sa.String(80)'))
    made = shop.run("create", "name", *APP, "--rename", "customer.title:name", "--json")
    assert any("differs from title in more than the name" in line for line in made.json["review"])
    assert shop.run("run", "--apps", "shop").code == 0
    assert shop.query("SELECT name, type FROM pragma_table_info('customer')")[1] == ("name", "VARCHAR(80)")
    assert shop.query("SELECT name FROM customer") == [("first",)]
    assert shop.run("create", "again", *APP, "--json").json["revision"] is None
    shop.models(COLUMN.replace('"name"', '"other"'))
    later = shop.run("create", "later", *APP, "--dry-run").out
    assert 'batch_op.drop_column("name")' in later, "a renamed column is as much ours as it was"
    shop.models(COLUMN)


@pytest.mark.parametrize(
    ("rename", "words"),
    [
        ("customer.absent:name", "has no column absent"),
        ("customer.title:absent", "no model has this new name"),
        ("absent:customer", "table absent is not there, or customer is"),
        ("customer.title", "Write table.old:new"),
    ],
)
def test_a_rename_that_is_none_is_refused(shop: Project, rename: str, words: str) -> None:
    shop.models(COLUMN)
    made = shop.run("create", "name", *APP, "--rename", rename)
    assert (made.code, made.out) == (2, "")
    assert words in made.err
    assert not list((shop.path / "shop").rglob("*name*.py"))


def test_two_renames_of_one_column_are_refused(shop: Project) -> None:
    shop.models(COLUMN + 'customer.append_column(sa.Column("other", sa.String(50)))\n')
    made = shop.run("create", "n", *APP, "--rename", "customer.title:name", "--rename", "customer.title:other")
    assert made.code == 2
    assert "another rename has one of these names already" in made.err


def test_a_table_and_a_column_of_it(shop: Project) -> None:
    """Both in one revision; where the table alone is named, the column is offered."""
    shop.models(BOTH)
    table = ("--rename", "customer:client")
    offered = shop.run("create", "client", *APP, *table, "--json", "--dry-run").json["review"]
    assert any("`--rename client.title:name`" in line for line in offered)
    assert shop.run("create", "client", *APP, *table, "--rename", "client.title:name").code == 0
    assert shop.run("run", "--apps", "shop").code == 0
    assert shop.query("SELECT id, name FROM client") == [(1, "first")]


def test_tables_that_revisions_made_are_renamed_too(project: Project) -> None:
    """The ledger does not know them as ours: nothing of theirs would be dropped, but a rename drops nothing."""
    project.app("shop")
    assert project.run("create", "first", *APP).code == 0
    assert project.run("run", "--apps", "shop").code == 0
    project.query("INSERT INTO customer (id, title) VALUES (1, 'first')")
    project.models(COLUMN)
    offered = project.run("create", "name", *APP, "--json", "--dry-run").json["review"]
    assert "`--rename customer.title:name`" in offered[0]
    assert project.run("create", "name", *APP, "--rename", "customer.title:name").code == 0
    assert project.run("run", "--apps", "shop").code == 0
    project.models(BOTH)
    offered = project.run("create", "client", *APP, "--json", "--dry-run").json["review"]
    assert "`--rename customer:client`" in offered[0]
    assert project.run("create", "client", *APP, "--rename", "customer:client").code == 0
    assert project.run("run", "--apps", "shop").code == 0
    assert project.query("SELECT id, name FROM client") == [(1, "first")]


def tables(*shapes: str) -> str:
    """Models with tables of these shapes: name, column, and the table's former name where it has one."""
    made = ""
    for shape in shapes:
        name, column, *former = shape.split()
        info = f', info={{"renamed_from": "{former[0]}"}}' if former else ""
        columns = f'sa.Column("id", sa.Integer, primary_key=True), sa.Column("{column}", sa.String(50))'
        made += f'sa.Table("{name}", metadata, {columns}{info})\n'
    return f"import sqlalchemy as sa\nmetadata = sa.MetaData()\n{made}"


def test_a_table_gets_the_name_that_another_one_leaves(shop: Project) -> None:
    """Found by a random history: the columns of one were added to the other, whose own were offered for removal."""
    shop.models(tables("customer title", "client number"))
    assert shop.run("sync", "--quiet").code == 0
    shop.query("INSERT INTO client (id, number) VALUES (1, '7')")
    shop.models(tables("client title customer", "buyer number client"))
    plan = shop.run("plan", "--json").json
    assert {(one["kind"], one["table"]) for one in plan["changes"]} == {
        ("TableRenamed", "client"),
        ("TableRenamed", "buyer"),
    }
    assert shop.run("sync", "--allow-drop", "--yes", "--quiet").code == 0
    assert shop.columns("client") == ["id", "number"]
    assert shop.run("create", "names", *APP).code == 0
    for command, titled, numbered in (
        ("run", "client", "buyer"),
        ("rollback", "customer", "client"),
        ("run", "client", "buyer"),
    ):
        assert shop.run(command, "--apps", "shop").code == 0
        assert shop.query(f"SELECT id, title FROM {titled}") == [(1, "first")]
        assert shop.query(f"SELECT id, number FROM {numbered}") == [(1, "7")]
    assert shop.run("verify", "--strict", "--apps", "shop").code == 0
