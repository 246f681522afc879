"""The pytest plugin behind ``--contract-report``: ``pytest -p framework_m_migrations.testing.plugin``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framework_m_migrations.testing.obligations import NOT_APPLICABLE, obligation_of, obligations_of
from framework_m_migrations.testing.report import Conformance, Verdict

pytest.register_assert_rewrite("framework_m_migrations.testing.contracts")

_ADAPTER, _OBLIGATION, _TEXT = "contract adapter", "contract obligation", "contract text"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("framework_m_migrations", "contract suite of framework_m_migrations")
    group.addoption(
        "--contract-report",
        action="store_true",
        default=False,
        help="show which obligations of the ports each adapter under test holds",
    )
    group.addoption(
        "--contract-report-json",
        metavar="PATH",
        default=None,
        help="write the same as JSON",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start collecting, where a report was asked for."""
    if config.getoption("--contract-report") or config.getoption("--contract-report-json"):
        config.pluginmanager.register(ContractReporter(config), "framework_m_migrations_contract_reporter")


class ContractReporter:
    """Collects the results of contract tests. Works under xdist: what a test says travels with its report."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._conformance = Conformance()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note with each contract test what it proves, and for which adapter."""
        for item in items:
            proved = obligation_of(getattr(item, "function", None))
            suite = getattr(item, "cls", None)
            if proved is None or suite is None:
                continue
            adapter = getattr(suite, "adapter", "") or suite.__name__
            item.user_properties += [(_ADAPTER, adapter), (_OBLIGATION, proved.id), (_TEXT, proved.text)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one report."""
        properties = dict(report.user_properties)
        adapter, identifier = properties.get(_ADAPTER), properties.get(_OBLIGATION)
        if adapter is None or identifier is None:
            return
        text = str(properties.get(_TEXT, ""))
        if report.failed:
            report.sections.append(("contract", f"{adapter} was expected to hold {identifier}: {text}"))
            crash = getattr(report.longrepr, "reprcrash", None)
            seen = "" if crash is None else f": {crash.message.partition('\n')[0]}"
            where = f"{report.when} of {report.nodeid.rpartition('::')[2]} failed{seen}"
            self._conformance.add(str(adapter), str(identifier), text, Verdict.NOT_HELD, where)
        elif report.skipped:
            self._conformance.add(str(adapter), str(identifier), text, Verdict.NOT_HELD, "skipped")
        elif report.when == "call":
            reason = properties.get(NOT_APPLICABLE)
            verdict = Verdict.HELD if reason is None else Verdict.NOT_APPLICABLE
            told = None if reason is None else str(reason)
            self._conformance.add(str(adapter), str(identifier), text, verdict, told)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show and write the report."""
        if hasattr(self._config, "workerinput"):
            return
        self._expect_all()
        path = self._config.getoption("--contract-report-json")
        if path:
            text = json.dumps(self._conformance.to_dict(), indent=2, ensure_ascii=False)
            Path(path).write_text(text + "\n", encoding="utf-8")
        if self._config.getoption("--contract-report"):
            terminalreporter.section("contract report")
            for line in self._conformance.lines():
                terminalreporter.write_line(line)

    def _expect_all(self) -> None:
        from framework_m_migrations import testing

        for name in testing.CONTRACTS:
            suite = getattr(testing, name)
            self._conformance.expect((item.id, item.text) for item in obligations_of(suite))
