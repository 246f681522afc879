"""What every inspector must do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.changes import IndexAdded
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.risk.facts import FactKind, Question, TypeChange
from framework_m_migrations.domain.schema import Check, EnumType, ForeignKey, Index, IndexKey, TableName, Unique
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.contracts.executor import add, rich_table
from framework_m_migrations.testing.harness import Harness, Meddling
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create, differences, expect_columns, index

ROWS = TableName("counted")


def token(session: Session) -> str | None:
    """The catalog's token now."""
    with session.reading():
        return session.inspector.catalog_token()


class InspectorCatalogContract(DatabaseContract):
    """Obligations of ports.inspector.Inspector about the catalog and its token."""

    @obligation("inspector.read.absent-tables")
    def test_tables_that_do_not_exist_are_absent(self, harness: Harness, build: Builder) -> None:
        """A table that was asked for and does not exist is in neither tables nor names."""

        def work(session: Session) -> None:
            create(session, build.table("here"))
            with session.reading():
                catalog = session.inspector.read([TableName("here"), TableName("gone")])
            assert list(catalog.tables) == [TableName("here")]
            assert TableName("gone") not in catalog.names

        harness.run(work)

    @obligation("inspector.read.names")
    def test_names_hold_all_tables(self, harness: Harness, build: Builder) -> None:
        """Catalog.names lists every table that exists, also those that were not asked for."""

        def work(session: Session) -> None:
            create(session, *(build.table(name) for name in ("one", "two", "three")))
            with session.reading():
                catalog = session.inspector.read([TableName("two")])
            assert set(catalog.tables) == {TableName("two")}
            assert {TableName("one"), TableName("two"), TableName("three")} <= catalog.names

        harness.run(work)

    @obligation("inspector.read.all")
    def test_none_reads_everything(self, harness: Harness, build: Builder) -> None:
        """Without names every table is read; an empty list of names reads none."""

        def work(session: Session) -> None:
            create(session, build.table("one"), build.table("two"))
            with session.reading():
                assert {TableName("one"), TableName("two")} == set(session.inspector.read().tables)
                assert session.inspector.read([]).tables == {}

        harness.run(work)

    @obligation("inspector.read.own-tables-left-out")
    def test_the_engines_own_tables_are_left_out(self, harness: Harness, build: Builder) -> None:
        """The ledger's tables, Alembic's version table and system tables are not in the answers."""

        def work(session: Session) -> None:
            with session.transaction(Limits(10)):
                session.ledger.prepare()
            harness.revisions.add("0001", harness.revisions.apps[0])
            session.versions.stamp(["0001"])
            create(session, build.table("mine"))
            with session.reading():
                catalog = session.inspector.read()
            assert set(catalog.tables) == catalog.names == {TableName("mine")}

        harness.run(work)

    @obligation("inspector.read.constant-statements")
    def test_the_number_of_statements_is_constant(self, harness: Harness, build: Builder) -> None:
        """Reading takes as many statements for one table as for thirty, and for all."""
        if not self.able(harness, "batched_reads"):
            return
        tables = [rich_table(build, f"t{number}") for number in range(30)]
        harness.run(lambda session: create(session, *tables))

        def count(names: Iterable[TableName] | None) -> int | None:
            def work(session: Session) -> int | None:
                with session.reading():
                    session.inspector.read([])  # what a connection does only once does not count
                    recording = harness.recording(session)
                    if recording is None:
                        return None
                    with recording as sent:
                        session.inspector.read(None if names is None else list(names))
                    return len(sent)

            return harness.run(work)

        counts = [count([tables[0].name]), count(table.name for table in tables), count(None)]
        if counts[0] is None:
            self.not_applicable("recording")
            return
        assert counts[0] > 0
        assert counts == [counts[0]] * 3

    @obligation("inspector.read.sees-others-changes")
    def test_changes_of_others_are_seen(self, harness: Harness) -> None:
        """What somebody else did is seen by the next read of the same session."""

        def work(session: Session) -> None:
            with session.reading():
                assert TableName("theirs") not in session.inspector.read().names
            harness.meddle(Meddling.CREATE_TABLE, "theirs")
            harness.meddle(Meddling.CREATE_INDEX, "theirs")
            with session.reading():
                found = session.inspector.read([TableName("theirs")]).tables[TableName("theirs")]
            expect_columns(session, found, "id", "note")
            assert [item.name for item in found.indexes] == ["ix_theirs_note"]

        harness.run(work)

    @obligation("inspector.token.changes-with-ddl")
    def test_the_token_changes_with_every_ddl(self, harness: Harness) -> None:
        """The catalog token differs after each DDL statement, whoever runs it."""

        def work(session: Session) -> None:
            before = token(session)
            if before is None:
                self.not_applicable("catalog token")
                return
            seen = [before]
            for meddling in Meddling:
                harness.meddle(meddling, "theirs")
                after = token(session)
                assert after is not None
                assert after != seen[-1], f"the token does not tell {meddling}"
                seen.append(after)

        harness.run(work)

    @obligation("inspector.token.changes-with-own-ddl")
    def test_the_token_changes_with_own_ddl(self, harness: Harness, build: Builder) -> None:
        """The catalog token differs after the executor's own operations too, and is the same when asked again."""

        def work(session: Session) -> None:
            before = token(session)
            if before is None:
                self.not_applicable("catalog token")
                return
            assert token(session) == before
            create(session, build.table("mine"))
            after = token(session)
            add(session, o.AddColumn(TableName("mine"), build.column("note", "text")))
            assert len({before, after, token(session)}) == 3

        harness.run(work)

    @obligation("inspector.token.each-kind")
    def test_the_token_tells_each_kind_of_object(self, harness: Harness, build: Builder) -> None:
        """The catalog token differs after a change of each kind of object: columns, constraints, comments, views..."""

        def work(session: Session) -> None:
            can, mine = session.capabilities, TableName("mine")
            if token(session) is None:
                self.not_applicable("catalog token")
                return
            number, given = build.column("n", "integer"), build.column("n", "integer", default="5")
            create(session, build.table("mine", number, build.column("m", "integer")))
            operations: list[o.AdditiveOperation] = []
            if can.alter_column:
                operations += [o.SetDefault(mine, number, given), o.SetNotNull(mine, given)]
            if can.alter_constraints:
                operations += [
                    o.AddUnique(mine, Unique("uq_mine", ("n",))),
                    o.AddCheck(mine, Check("ck_mine", "n > 0")),
                    o.AddForeignKey(mine, ForeignKey("fk_mine", ("m",), mine, ("id",))),
                ]
            if can.comments:
                operations += [o.SetComment(mine, None, "a table"), o.SetComment(mine, "n", "a column")]
            if can.named_enums:
                kind = TableName("mood")
                operations += [o.CreateEnum(EnumType(kind, ("calm",))), o.AddEnumValue(kind, "glad")]
            operations.append(o.CreateIndex(mine, index("ix_mine", "m")))
            for operation in operations:
                before = token(session)
                add(session, operation)
                assert token(session) != before, f"the token was expected to tell {operation}"
            execute = getattr(harness, "execute", None)  # SqlHarness has it
            if execute is None:
                return
            for sql in ("CREATE VIEW v_mine AS SELECT id FROM mine", "DROP VIEW v_mine"):
                before = token(session)
                execute(sql)
                assert token(session) != before, f"the token was expected to tell {sql}"

        harness.run(work)

    @obligation("inspector.token.ignores-rows")
    def test_the_token_ignores_rows(self, harness: Harness) -> None:
        """Writing rows leaves the catalog token as it is."""
        harness.meddle(Meddling.CREATE_TABLE, "theirs")

        def work(session: Session) -> None:
            before = token(session)
            harness.insert(TableName("theirs"), [{"id": number, "note": "x"} for number in range(20)])
            assert token(session) == before

        harness.run(work)

    @obligation("inspector.token.one-statement")
    def test_the_token_costs_one_statement(self, harness: Harness) -> None:
        """The catalog token takes one statement."""

        def work(session: Session) -> None:
            token(session)
            recording = harness.recording(session)
            if recording is None:
                self.not_applicable("recording")
                return
            with session.reading(), recording as sent:
                session.inspector.catalog_token()
            assert len(sent) <= 1

        harness.run(work)


# What every inspector must answer about spellings, types and rows.


class InspectorAnswersContract(DatabaseContract):
    """Obligations of ports.inspector.Inspector about spellings, types, rows and rights."""

    @obligation("inspector.obstacles.names")
    def test_a_name_that_is_taken_is_told(self, harness: Harness, build: Builder) -> None:
        """An index whose name an index of another table has is told exactly where the database would refuse it."""
        held, free = index("ix_held", "amount"), index("ix_free", "amount")

        def look(session: Session) -> bool:
            column = build.column("amount", "integer")
            create(session, build.table("holder", column, indexes=[held]), build.table("other", column))
            taken, other = IndexAdded(TableName("other"), held), IndexAdded(TableName("other"), free)
            told = session.inspector.obstacles([taken, other])
            assert told.keys() <= {taken}
            assert all(one.reason.endswith(".") and one.table == TableName("holder") for one in told.values())
            return bool(told)

        def work(session: Session) -> None:
            with session.transaction(Limits(10)):
                session.executor.apply(o.CreateIndex(TableName("other"), held))

        if harness.run(look):
            with pytest.raises(DatabaseError):
                harness.run(work)
        else:
            harness.run(work)

    @obligation("inspector.obstacles.rivals")
    def test_a_name_that_two_changes_of_a_plan_need_is_told(self, harness: Harness, build: Builder) -> None:
        """Of two indexes of one name the later one is told exactly where the database would refuse it."""
        one = index("ix_both", "amount")
        first, later = (IndexAdded(TableName(name), one) for name in ("first", "later"))

        def look(session: Session) -> bool:
            column = build.column("amount", "integer")
            create(session, build.table("first", column), build.table("later", column))
            told = session.inspector.obstacles([first, later])
            assert told.keys() <= {later}
            assert all("first" in one.reason and one.table is None for one in told.values())
            return bool(told)

        def work(session: Session) -> None:
            with session.transaction(Limits(10)):
                for change in (first, later):
                    session.executor.apply(o.CreateIndex(change.table, one))

        if harness.run(look):
            with pytest.raises(DatabaseError):
                harness.run(work)
        else:
            harness.run(work)

    @obligation("inspector.normalise.no-phantoms")
    def test_odd_spellings_are_no_differences(self, harness: Harness, build: Builder) -> None:
        """Checks, defaults, predicates and expressions in an odd spelling differ no more after normalise."""

        def work(session: Session) -> None:
            able = session.capabilities
            partial = [Index("ix_part", (IndexKey("amount"),), where="amount   >  3")]
            expression = [Index("ix_expr", (IndexKey(None, "lower( title )"),))]
            wanted = build.table(
                "odd",
                build.column("amount", "integer", default=" 5 "),
                build.column("title", "string(50)", default="'A  b'"),
                indexes=[
                    *(partial if able.partial_indexes else []),
                    *(expression if able.expression_indexes else []),
                ],
                checks=[Check("ck_odd", "amount   >   0  AND  amount<>7")],
            )
            create(session, wanted)
            assert differences(session, wanted) == []

        harness.run(work)

    @obligation("inspector.normalise.keeps-differences")
    def test_real_differences_stay(self, harness: Harness, build: Builder) -> None:
        """Normalise hides no real difference: another bound, another default, another text stay different."""

        def work(session: Session) -> None:
            made = build.table(
                "real",
                build.column("amount", "integer", default="5"),
                build.column("title", "string(50)", default="'A  b'"),
                checks=[Check("ck_real", "amount > 0")],
            )
            create(session, made)
            wanted = replace(
                made,
                columns=(
                    made.columns[0],
                    build.column("amount", "integer", default="6"),
                    build.column("title", "string(50)", default="'A b'"),
                ),
                checks=(Check("ck_real", "amount > 1"),),
            )
            found = differences(session, wanted)
            defaults = {one.column.name for one in found if isinstance(one, c.ColumnDefaultChanged)}
            assert defaults == {"amount", "title"}, f"normalise hides another default: {found}"
            # A check without a name that is kept is another check.
            checks = [one for one in found if isinstance(one, c.CheckChanged | c.CheckAdded)]
            assert len(checks) == 1, f"normalise hides another check: {found}"
            assert "1" in checks[0].check.expression, f"another check was expected to be wanted: {found}"

        harness.run(work)

    @obligation("inspector.normalise.changes-nothing")
    def test_normalise_and_type_change_write_nothing(self, harness: Harness, build: Builder) -> None:
        """Asking the database for a spelling or a class of change leaves no object and no new token behind."""

        def work(session: Session) -> None:
            made = rich_table(build)
            create(session, made)
            with session.reading():
                before, names = session.inspector.catalog_token(), session.inspector.read().names
            wanted = replace(made, checks=(Check("ck_rich_amount", "(amount) >= (0)"),))
            for _ in range(2):
                differences(session, wanted)
                with session.reading():
                    session.inspector.type_change(
                        made.name, build.column("title", "string(50)"), build.column("title", "text")
                    )
            with session.reading():
                assert (session.inspector.catalog_token(), session.inspector.read().names) == (before, names)

        harness.run(work)

    @obligation("inspector.normalise.in-order")
    def test_normalise_answers_in_order(self, harness: Harness, build: Builder) -> None:
        """Normalise returns one table for each pair, in the order of the pairs; none for none."""

        def work(session: Session) -> None:
            tables = [build.table(name, build.column("x", "integer", default=" 1")) for name in ("b", "a", "c")]
            create(session, *tables)
            with session.reading():
                actual = session.inspector.read().tables
                respelt = session.inspector.normalise([(table, actual[table.name]) for table in tables])
                assert session.inspector.normalise([]) == []
            assert [table.name.name for table in respelt] == ["b", "a", "c"]

        harness.run(work)

    @obligation("inspector.type-change.classes")
    @pytest.mark.parametrize(
        ("before", "after", "allowed"),
        [
            ("string(50)", "string(50)", {TypeChange.EQUAL}),
            ("string(50)", "string(100)", {TypeChange.WIDENING, TypeChange.REWRITE}),
            ("string(50)", "text", {TypeChange.WIDENING, TypeChange.REWRITE}),
            ("decimal(10,2)", "decimal(12,2)", {TypeChange.WIDENING, TypeChange.REWRITE}),
            ("integer", "bigint", {TypeChange.WIDENING, TypeChange.REWRITE}),
            ("string(100)", "string(50)", {TypeChange.NARROWING}),
            ("decimal(12,2)", "decimal(10,2)", {TypeChange.NARROWING}),
            ("text", "integer", {TypeChange.INCOMPATIBLE, TypeChange.NARROWING}),
            ("text", "datetime", {TypeChange.INCOMPATIBLE, TypeChange.NARROWING}),
        ],
    )
    def test_changes_of_type_are_classed(
        self, harness: Harness, build: Builder, before: str, after: str, allowed: set[TypeChange]
    ) -> None:
        """A change of type is classed by what it does to rows; the safe classes are given to safe changes only."""
        if "string" in before and not self.able(harness, "text_lengths"):
            return

        def work(session: Session) -> None:
            old, new = build.column("x", before), build.column("x", after)
            create(session, build.table("typed", old))
            with session.reading():
                assert session.inspector.type_change(TableName("typed"), old, new) in allowed

        harness.run(work)

    @obligation("inspector.ask.right-answers")
    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            (Question(FactKind.HAS_ROWS, ROWS), 1),
            (Question(FactKind.HAS_ROWS, TableName("barren")), 0),
            (Question(FactKind.NULLS, ROWS, ("note",)), 1),
            (Question(FactKind.NULLS, ROWS, ("kind",)), 0),
            (Question(FactKind.DUPLICATES, ROWS, ("kind",)), 1),
            (Question(FactKind.DUPLICATES, ROWS, ("kind",), "kind <> 'a'"), 0),
            (Question(FactKind.DUPLICATES, ROWS, ("note",)), 0),
            (Question(FactKind.DUPLICATES, ROWS, ("kind", "note")), 0),
            (Question(FactKind.LONGEST, ROWS, ("note",)), 5),
            (Question(FactKind.LONGEST, TableName("barren"), ("note",)), 0),
            (Question(FactKind.VIOLATIONS, ROWS, (), "kind = 'a'"), 1),
            (Question(FactKind.VIOLATIONS, ROWS, (), "note = 'größe'"), 0),
            (Question(FactKind.ORPHANS, ROWS, ("id",), None, TableName("barren"), ("id",)), 1),
            (Question(FactKind.ORPHANS, ROWS, ("id",), None, ROWS, ("id",)), 0),
        ],
    )
    def test_answers_about_rows_are_right(
        self, harness: Harness, build: Builder, question: Question, answer: int
    ) -> None:
        """A question about rows is answered rightly, or left out."""
        columns = (build.column("kind", "string(50)"), build.column("note", "text"))
        harness.run(lambda session: create(session, build.table(ROWS, *columns), build.table("barren", *columns)))
        rows = [("a", "größe"), ("a", None), ("b", None)]
        harness.insert(ROWS, [{"id": number, "kind": kind, "note": note} for number, (kind, note) in enumerate(rows)])
        self._check(harness, question, answer)

    @obligation("inspector.ask.assuming")
    @pytest.mark.parametrize(
        ("columns", "constant", "answer"),
        [(("kind", "extra"), "7", 1), (("id", "extra"), "7", 0), (("extra",), "NULL", 0), (("extra",), "7", 1)],
    )
    def test_columns_that_do_not_exist_yet_are_assumed(
        self, harness: Harness, build: Builder, columns: tuple[str, ...], constant: str, answer: int
    ) -> None:
        """A question may assume columns that do not exist yet, with the value that existing rows will have."""
        table = build.table(ROWS, build.column("kind", "string(50)"))
        harness.run(lambda session: create(session, table))
        harness.insert(ROWS, [{"id": 1, "kind": "a"}, {"id": 2, "kind": "a"}])
        assumed = (("extra", harness.types["integer"].spelling, constant),)
        self._check(harness, Question(FactKind.DUPLICATES, ROWS, columns, assuming=assumed), answer)

    def _check(self, harness: Harness, question: Question, answer: int) -> None:
        def work(session: Session) -> None:
            with session.reading():
                facts = session.inspector.ask([question])
            assert set(facts) <= {question}
            if question not in facts:
                self.not_applicable("an answer")
                return
            assert facts[question] == answer

        harness.run(work)

    @obligation("inspector.ask.many")
    def test_many_questions_at_once(self, harness: Harness, build: Builder) -> None:
        """Many questions are answered together, each under its own key; none for none."""
        tables = [build.table(f"t{number}") for number in range(5)]
        harness.run(lambda session: create(session, *tables))
        harness.insert(TableName("t3"), [{"id": 1}])

        def work(session: Session) -> None:
            questions = [Question(FactKind.HAS_ROWS, table.name) for table in tables]
            with session.reading():
                assert session.inspector.ask([]) == {}
                facts = session.inspector.ask(questions)
            assert {question.table.name: fact for question, fact in facts.items() if fact} in ({"t3": 1}, {})

        harness.run(work)

    @obligation("inspector.sizes.estimates")
    def test_sizes_are_estimates_of_tables_that_exist(self, harness: Harness, build: Builder) -> None:
        """How large a table is may be left out, and is no negative number; of a table that is not there nothing is."""

        def work(session: Session) -> None:
            create(session, build.table("weighed"), build.table("other"))
            with session.reading():
                told = session.inspector.sizes([TableName("weighed"), TableName("absent")])
                assert session.inspector.sizes([]) == {}
            assert told.keys() <= {TableName("weighed")}
            assert all((number or 0) >= 0 for size in told.values() for number in size)

        harness.run(work)

    @obligation("inspector.privileges.owner-has-all")
    def test_the_owner_lacks_no_right(self, harness: Harness) -> None:
        """For the owner of an empty database no right is missing."""

        def work(session: Session) -> None:
            with session.reading():
                assert session.inspector.missing_privileges() == ()

        harness.run(work)


# What every inspector must know before anything is dropped.


PARENT, CHILD = TableName("parent"), TableName("child")
KEY = ForeignKey("fk_child", ("ref",), PARENT, ("id",))


class InspectorDependentsContract(DatabaseContract):
    """Obligations of ports.inspector.Inspector about what stands on a table or a column."""

    @staticmethod
    def _told(session: Session, *drops: c.Change) -> set[c.Change]:
        with session.reading():
            before = session.inspector.catalog_token()
            found = session.inspector.dependents(drops)
            assert session.inspector.catalog_token() == before
        assert all(one.reason.endswith(".") and one.table is None for one in found.values())
        return set(found)

    @obligation("inspector.dependents.foreign-keys")
    def test_a_foreign_key_that_stays_is_told(self, harness: Harness, build: Builder) -> None:
        """A table that another one's foreign key points at is told of, unless the key, its column or its table goes."""

        def work(session: Session) -> None:
            ref = build.column("ref", "integer")
            create(session, build.table("parent"), build.table("child", ref, foreign_keys=[KEY]))
            parent, child = c.TableRemoved(PARENT, owned=True), c.TableRemoved(CHILD, owned=True)
            assert self._told(session, parent) == {parent}
            assert self._told(session, child, parent) == set()
            assert self._told(session, c.ForeignKeyRemoved(CHILD, KEY), parent) == set()
            assert self._told(session, c.ColumnRemoved(CHILD, ref, owned=True), parent) == set()
            assert self._told(session, child) == set()

        harness.run(work)

    @obligation("inspector.dependents.its-own")
    def test_what_belongs_to_a_table_or_a_column_goes_with_it(self, harness: Harness, build: Builder) -> None:
        """A table's own key to itself, and indexes over a column, keep neither; about no drops nothing is told."""

        def work(session: Session) -> None:
            ref = build.column("ref", "integer")
            key = ForeignKey("fk_self", ("ref",), PARENT, ("id",))
            create(session, build.table("parent", ref, foreign_keys=[key], indexes=[index("ix_ref", "ref")]))
            assert self._told(session, c.TableRemoved(PARENT, owned=True)) == set()
            assert self._told(session, c.ColumnRemoved(PARENT, ref, owned=True)) == set()
            assert self._told(session, c.IndexRemoved(PARENT, index("ix_ref", "ref"))) == set()
            assert self._told(session) == set()

        harness.run(work)


# What every inspector must do.


class InspectorContract(InspectorCatalogContract, InspectorAnswersContract, InspectorDependentsContract):
    """All obligations of ports.inspector.Inspector."""
