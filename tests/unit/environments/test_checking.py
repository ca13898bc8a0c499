"""What comes back from a node, and the words that go there.

Fails where output without an answer counts as a good one, or the probe's text could end its own
here-document.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from clusterhub.environments import checking, on_node
from clusterhub.environments.findings import Finding, error, warning
from clusterhub.environments.probe import MARK
from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.model import CommandResult


def test_an_answer_is_found_among_other_lines() -> None:
    told = {"facts": {"node": "n1"}, "findings": []}
    printed = f"Lmod is here\n{MARK}{json.dumps(told)}\nbye\n"
    assert checking.reading(CommandResult(0, printed, "")) == told


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (CommandResult(0, "", ""), "ended with code 0"),
        (CommandResult(126, "", "python3: Permission denied\n"), "Permission denied"),
        (CommandResult(None, "", "", "it gave no answer within 9 s"), "no answer within 9 s"),
    ],
)
def test_no_answer_is_a_finding_with_whatever_was_said(result: CommandResult, said: str) -> None:
    found = checking.reading(result)
    assert isinstance(found, Finding)
    assert found.severity == "error"
    assert said in found.what


def test_a_check_passes_with_warnings_and_not_with_errors() -> None:
    def report(*findings: Finding) -> checking.Report:
        return checking.Report("a", "alice", "n1", findings)

    assert report().passed
    assert report(warning("writable", "x")).passed
    assert not report(warning("writable", "x"), error("lab", "y", next="z")).passed
    text = report(warning("writable", "x"), error("lab", "y", next="z")).as_text()
    assert "error: lab: y\n  what to do: z" in text
    assert text.endswith("a failed its check as alice on n1: 1 error, 1 warning.")


def test_the_job_hands_the_probe_over_as_it_is_and_says_where_there_is_no_python() -> None:
    assert on_node.HEREDOC not in checking.source()
    body = on_node.body("/nowhere/it's", '{"seconds": 1}')
    done = subprocess.run(["/bin/bash"], input=body, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "there is no Python that you can run at /nowhere/it's/bin/python3" in done.stdout


def test_nobody_checks_as_root() -> None:
    with pytest.raises(ClusterhubError, match="Root can open everything"):
        checking.ordinary("root")
