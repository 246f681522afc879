"""Events of a real sync and a real failure, in logs and traces."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import LogCapture

from framework_m_migrations import LoggingSink, MigrationManager, MigrationSettings, OpenTelemetrySink, StructlogSink
from framework_m_migrations.domain import events as e

DOCS = Path(__file__).parents[2] / "docs" / "deployment.md"


def synced(tmp_path: Path, sink: Any) -> None:
    metadata = sa.MetaData()
    sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True))
    settings = MigrationSettings(database_url=f"sqlite:///{tmp_path / 'x.db'}", metadata=metadata)
    MigrationManager(settings, events=sink).sync()


def traced() -> tuple[OpenTelemetrySink, InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OpenTelemetrySink(provider.get_tracer("test")), exporter


def test_the_standard_library_gets_names_and_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "framework_m_migrations"):
        synced(tmp_path, LoggingSink())
        LoggingSink().emit(e.StepRetried(2, 1, 0.5, "Lock timeout."))
    names = [record.__dict__["event"] for record in caplog.records]
    assert names.index("plan_made") < names.index("step_started") < names.index("step_finished")
    plan = next(record for record in caplog.records if record.__dict__["event"] == "plan_made")
    assert plan.__dict__["values"]["applied"] == 1
    assert (caplog.records[-1].levelname, "reason=Lock timeout." in caplog.messages[-1]) == ("WARNING", True)


def test_structlog_gets_keys(tmp_path: Path) -> None:
    captured = LogCapture()
    synced(tmp_path, StructlogSink(structlog.wrap_logger(None, processors=[captured])))
    finished = [entry for entry in captured.entries if entry["event"] == "step_finished"]
    assert [(entry["number"], entry["total"]) for entry in finished] == [(1, 1)]


def test_a_step_is_a_span(tmp_path: Path) -> None:
    sink, exporter = traced()
    with sink:
        synced(tmp_path, sink)
    (span,) = exporter.get_finished_spans()
    assert span.name == "m-migrate step"
    assert dict(span.attributes or {})["m_migrate.total"] == 1


def test_what_failed_ends_with_the_error_and_its_events() -> None:
    sink, exporter = traced()

    def fail() -> None:
        with sink:
            sink.emit(e.RevisionStarted("aa01", "shop", "upgrade"))
            sink.emit(e.StatementRetried(1, 0.1, "Lock timeout."))
            raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        fail()
    (span,) = exporter.get_finished_spans()
    assert [event.name for event in span.events] == ["statement_retried", "exception"]
    assert dict(span.attributes or {})["error"] is True


def test_every_event_has_its_name_in_the_documentation() -> None:
    documented = set(re.findall(r"`([a-z_]+)`", DOCS.read_text().partition("names are stable")[2]))
    kinds = [kind for kind in get_args(e.Event) if kind is not e.TenantEvent]
    names = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower() for kind in kinds}
    assert names <= documented, names - documented
