"""A pytest plugin: the suites' order and seconds, shares of them, and tests that may not be skipped.

``scripts/test`` loads it; a file in ``tests/NAME/`` belongs to the suite NAME.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

ORDER = ("unit", "docs", "lint", "contract", "environments", "cluster", "browser", "fault", "abuse")


SHARES = ("faults", "cluster", "browser", "rest")
"""What can run side by side: all but the rest on a cluster of its own."""


def suite_of(path: Path) -> str:
    """The suite of a test file, its path given from the root; empty for one outside ``tests``."""
    match path.parts:
        case ("tests", name, _, *_):
            return name
    return ""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--no-skips`` and ``--share``."""
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped fails the run")
    parser.addoption(
        "--share",
        choices=SHARES,
        help="only faults on the real cluster, only its tests with a browser, only its others, or the rest",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start counting."""
    config.addinivalue_line("markers", "on_cluster: asks for the real cluster while it runs")
    config.pluginmanager.register(_Suites(config), "clusterhub-suites")


def _is_on_cluster(item: pytest.Item) -> bool:
    """True for a test that the real cluster of a machine is made for; there is one at a time.

    One that asks for the fixture only while it runs says so by a mark.
    """
    asks = "cluster" in getattr(item, "fixturenames", ())
    return asks or item.get_closest_marker("on_cluster") is not None


def _share_of(item: pytest.Item) -> str:
    if not _is_on_cluster(item):
        return "rest"
    shares = {"fault": "faults", "browser": "browser"}
    return shares.get(suite_of(Path(item.location[0])), "cluster")


class _Suites:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seconds: dict[str, float] = defaultdict(float)
        self._skipped: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Quick suites first; within a suite the order stays. Only the share that was asked for."""
        share = self._config.getoption("--share")
        if share is not None:
            others = [item for item in items if _share_of(item) != share]
            items[:] = [item for item in items if item not in set(others)]
            self._config.hook.pytest_deselected(items=others)
        place = {name: index for index, name in enumerate(ORDER)}
        items.sort(key=lambda item: place.get(suite_of(Path(item.location[0])), len(place)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test's seconds, and note a skip; an expected failure is none."""
        self._seconds[suite_of(Path(report.location[0]))] += report.duration
        if report.skipped and not hasattr(report, "wasxfail"):
            self._note_skip(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a whole file that is skipped."""
        if report.skipped:
            self._note_skip(report)

    def _note_skip(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        self._skipped.append(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a run that was green but for skips."""
        if self._skipped and self._config.getoption("--no-skips") and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Seconds of each suite, then the skips that fail the run."""
        if self._seconds:
            terminalreporter.section("seconds by suite")
            for name in sorted(self._seconds, key=lambda name: ORDER.index(name) if name in ORDER else 99):
                terminalreporter.line(f"{name or 'other':10}{self._seconds[name]:8.1f}")
        if self._skipped and self._config.getoption("--no-skips"):
            terminalreporter.section("skipped, which fails this run", red=True)
            for line in self._skipped:
                terminalreporter.line(line)
