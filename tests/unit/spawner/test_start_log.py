"""The log of a start is read only while somebody looks, and never for many at once.

Without `StartLog.looked_at` each start would have its log read to its end; without `LogLooks` a class that
starts at ten has as many helpers at work as there are students. Without `as_plain_text` colours are shown as
the signs that stand for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from clusterhub.errors import ClusterhubError
from clusterhub.spawner import start_log
from clusterhub.spawner.start_log import LogLooks, StartLog, as_plain_text


class Start:
    """A stand-in for a start with a log, which counts who reads it."""

    reading = most = 0
    """Of all starts at once."""

    def __init__(self, looks: LogLooks, text: str = "a line\n") -> None:
        self.text = text
        self.runs = True
        self.read = self.noted = 0
        self.was_read = asyncio.Event()
        self.log = StartLog(looks, self._read, lambda: self.runs, self._note, first=0.001)

    async def _read(self) -> str:
        Start.reading += 1
        Start.most = max(Start.most, Start.reading)
        await asyncio.sleep(0)
        Start.reading -= 1
        self.read += 1
        self.was_read.set()
        if not self.text:
            raise ClusterhubError("there is no such log")
        return self.text

    def _note(self) -> None:
        self.noted += 1


async def until(true: Callable[[], bool]) -> None:
    async def poll() -> None:
        while True:
            if true():
                return
            await asyncio.sleep(0.001)

    await asyncio.wait_for(poll(), 10)


async def test_it_is_read_while_somebody_looks_and_not_before_nor_after() -> None:
    start = Start(LogLooks(0))
    await asyncio.sleep(0.01)
    assert start.read == 0
    with start.log.looked_at(), start.log.looked_at():
        await until(lambda: start.noted == 1)
        assert start.log.lines == ("a line",)
        start.text = "a line\nanother\n"
        await until(lambda: start.noted == 2)
        assert start.log.lines == ("a line", "another")
    await asyncio.sleep(0)
    read = start.read
    await asyncio.sleep(0.02)
    assert start.read == read
    with start.log.looked_at():
        await until(lambda: start.read > read)
    assert start.noted == 2, "the same lines are no news"


async def test_a_job_that_does_not_run_has_no_log_to_be_read() -> None:
    start = Start(LogLooks(0))
    start.runs = False
    with start.log.looked_at():
        await asyncio.sleep(0.02)
        assert start.read == 0
        start.runs = True
        await until(lambda: start.read > 0)


async def test_a_log_that_cannot_be_read_is_tried_again() -> None:
    start = Start(LogLooks(0), text="")
    with start.log.looked_at():
        await until(lambda: start.read > 1)
        assert start.log.lines == ()


async def test_the_logs_of_a_class_are_read_one_after_the_other() -> None:
    Start.most = 0
    looks = LogLooks(0.001)
    starts = [Start(looks) for _ in range(20)]
    looked_at = [start.log.looked_at() for start in starts]
    for each in looked_at:
        each.__enter__()
    await asyncio.gather(*(start.was_read.wait() for start in starts))
    for each in looked_at:
        each.__exit__(None, None, None)
    assert Start.most == 1


async def test_looks_become_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    asleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asleep(0)

    monkeypatch.setattr(start_log.asyncio, "sleep", sleep)
    start = Start(LogLooks(-1))
    with start.log.looked_at():
        while start.read < 40:
            await asleep(0)
    own = [pause for pause in pauses if pause > 0]
    assert own[:3] == pytest.approx([0.001, 0.0015, 0.00225])
    assert max(own) == start_log.PAUSE_AT_MOST


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07after", "after"),
        ("10 %\r20 %\r30 %\ndone", "30 %\ndone"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("bell\x07 and \x9bnull\x00", "bell and null"),
        ("a\tb é 漢", "a\tb é 漢"),
    ],
)
def test_signs_for_terminals_are_left_out(text: str, plain: str) -> None:
    assert as_plain_text(text) == plain
