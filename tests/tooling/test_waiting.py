"""The waits that all tests share: they end, and say what was missing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.waiting import Late, join, next_line, turn, wait_until


def test_the_first_true_answer_is_returned() -> None:
    answers: Iterator[int] = iter([0, 0, 7, 8])
    assert wait_until(lambda: next(answers), what="a number", every=0) == 7


def test_it_ends_with_what_was_awaited_and_what_was_seen_last() -> None:
    with pytest.raises(Late, match=r"Waited 0\.01 s for rows\. Seen last: \[\]"):
        wait_until(list[int], what="rows", limit=0.01, every=0)
    with pytest.raises(Late, match=r"for rows\. Seen last: 'a log'"):
        wait_until(list[int], what="rows", seen=lambda: "a log", limit=0)


def test_a_state_that_is_there_at_the_end_of_the_limit_is_in_time() -> None:
    assert wait_until(lambda: "there", what="it", limit=0) == "there"


def test_a_thread_that_does_not_end_is_named() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, args=(60,), name="stuck")
    thread.start()
    with pytest.raises(Late, match=r"for the work\. Seen last: the thread stuck"):
        join(thread, what="the work", limit=0.01)
    end.set()
    join(thread, what="the work")


def test_a_process_that_writes_no_line_is_killed() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        with pytest.raises(Late, match="for a word"):
            next_line(process, what="a word", limit=0.1)
        assert process.wait(60) != 0


def test_the_line_of_a_process_and_its_end() -> None:
    with subprocess.Popen([sys.executable, "-c", "print('word')"], stdout=subprocess.PIPE, text=True) as process:
        assert [next_line(process, what="a word"), next_line(process, what="the end")] == ["word\n", ""]


def test_turns_exclude_each_other_and_end(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with turn(file, what="mine"), pytest.raises(Late, match=r"for theirs .*another process holds it"):  # noqa: SIM117 - the inner one is what fails
        with turn(file, what="theirs", limit=0):
            pytest.fail("both have it")
    with turn(file, what="mine again", limit=0):
        pass
