"""Every failure is one message with code, cause and next step; the exit code is the documented one; no secret leaks."""

from __future__ import annotations

import json

import pytest

from framework_m_migrations.cli.failures import as_migration_error, report_failure
from framework_m_migrations.cli.redaction import hide, hide_deeply
from framework_m_migrations.domain.errors import ConfigurationError, LockTimeout, MigrationError, MigrationLocked
from tests.unit.cli._made import an_output

SECRET = "s3cret-p@ss"
URL = "postgresql+asyncpg://app:s3cret-p%40ss@db.internal/site"


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (MigrationError("What."), "M000", 1),
        (ConfigurationError("What."), "M100", 2),
        (MigrationLocked("What."), "M211", 4),
        (LockTimeout("What."), "M210", 4),
        (ValueError("What."), "M900", 1),
        (KeyboardInterrupt(), "M901", 130),
        (SystemExit(0), "M900", 1),
        (RecursionError(), "M900", 1),
    ],
)
def test_each_failure_has_its_code_and_exit_code(error: BaseException, code: str, exit_code: int) -> None:
    output, out, err = an_output(json=True)
    assert report_failure(error, output) == exit_code
    document = json.loads(out.getvalue())
    assert list(document) == ["error"]
    assert document["error"]["code"] == code
    assert document["error"]["next_step"]
    lines = err.getvalue().splitlines()
    assert lines[0].startswith(f"Error {code}: ")
    assert lines[1].startswith("Next: ")
    assert len(lines) == 2


def test_without_json_stdout_stays_empty() -> None:
    output, out, err = an_output()
    report_failure(MigrationError("What.", next_step="Do this."), output)
    assert out.getvalue() == ""
    assert err.getvalue() == "Error M000: What.\nNext: Do this.\n"


def test_quiet_does_not_hide_errors() -> None:
    output, _, err = an_output(quiet=True)
    report_failure(MigrationError("What."), output)
    assert "Error M000" in err.getvalue()


def raised(error: Exception) -> Exception:
    """The error with a traceback."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_an_unexpected_failure_is_one_line_with_its_type_and_the_traceback_comes_on_request() -> None:
    error = raised(ValueError("first line\nsecond line"))
    output, _, err = an_output()
    report_failure(error, output)
    assert "Error M900: Unexpected ValueError: first line\n" in err.getvalue()
    assert "-v" in err.getvalue()
    assert "Traceback" not in err.getvalue()
    output, _, err = an_output(verbose=True)
    report_failure(error, output)
    assert "Traceback (most recent call last)" in err.getvalue()
    assert "second line" in err.getvalue()


def test_a_known_failure_shows_its_cause_on_request_only() -> None:
    failure = MigrationError("What.")
    failure.__cause__ = OSError("disk on fire")
    for verbose in (False, True):
        output, _, err = an_output(verbose=verbose)
        report_failure(failure, output)
        assert ("disk on fire" in err.getvalue()) is verbose


@pytest.mark.parametrize("verbose", [False, True])
def test_no_password_is_in_any_form_of_a_failure(verbose: bool) -> None:
    error = raised(ValueError(f"cannot open {URL} with {SECRET} and password='{SECRET}'"))
    output, out, err = an_output(json=True, verbose=verbose)
    report_failure(error, output, URL)
    shown = out.getvalue() + err.getvalue()
    assert SECRET not in shown
    assert "s3cret" not in shown
    details = MigrationError("What.", details={"url": URL, "nested": [{"raw": SECRET}]})
    output, out, err = an_output(json=True)
    report_failure(details, output, URL)
    assert "s3cret" not in out.getvalue() + err.getvalue()
    assert json.loads(out.getvalue())["error"]["details"]["nested"][0]["raw"] == "***"


def test_a_url_that_cannot_be_read_is_hidden_all_the_same() -> None:
    broken = "postgresql://app:s3cret@host:notaport/db"
    assert "s3cret" not in hide(f"cannot read {broken}", broken)
    assert hide_deeply({"a": 1, "b": None}) == {"a": 1, "b": None}


def test_a_program_that_is_ended_from_inside_is_no_success() -> None:
    error = as_migration_error(SystemExit(0))
    assert error.exit_code == 1
    assert "sys.exit(0)" in error.what
