"""What comes back from a node, and the words that go there.

Fails where output without an answer counts as a good one, or the probe's text could end its own
here-document.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from clusterhub.environments import checking, on_node
from clusterhub.environments.findings import Finding, error, warning
from clusterhub.environments.probe import MARK
from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.model import CommandResult

FACTS = {"node": "n1", "account": "alice", "python": "3.12.1", "prefix": "/x", "kernels": {"python3": 1.5}}


def answer(findings: object, facts: object = FACTS) -> CommandResult:
    told = json.dumps({"facts": facts, "findings": findings})
    return CommandResult(0, f"Lmod is here\n{MARK}{told}\nbye\n", "")


def test_an_answer_is_found_among_other_lines() -> None:
    said = {"check": "lab", "severity": "warning", "what": "a", "where": "b", "next": "c"}
    findings, facts = checking.reading(answer([said]))
    assert findings == [warning("lab", "a", where="b", next="c")]
    assert facts == {**FACTS, "labextensions": {}}


def test_what_a_person_has_it_say_reaches_the_terminal_as_text() -> None:
    said = {"check": "lab", "severity": "fine", "what": "\x1b[2Ja", "where": "b" * 5000, "next": ["c"]}
    ((found,), _) = checking.reading(answer([said]))
    assert (found.severity, found.what, len(found.where), found.next) == ("error", "?[2Ja", 1000, "['c']")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (CommandResult(0, "", ""), "ended with code 0"),
        (CommandResult(126, "", "python3: Permission denied\n"), "Permission denied"),
        (CommandResult(None, "", "", "it gave no answer within 9 s"), "no answer within 9 s"),
        (answer(None), "it cannot be opened"),
        (answer([{"check": "lab"}]), "it cannot be opened"),
        (answer([], []), "it cannot be opened"),
        (answer([], {**FACTS, "kernels": {"a": "b"}}), "it cannot be opened"),
        (CommandResult(0, f"{MARK}nonsense", ""), "it cannot be opened"),
    ],
)
def test_no_good_answer_is_a_finding_with_whatever_was_said(result: CommandResult, said: str) -> None:
    ((found,), facts) = checking.reading(result)
    assert found.severity == "error"
    assert said in found.what
    assert facts == {}


def test_a_check_passes_with_warnings_and_not_with_errors() -> None:
    def report(*findings: Finding) -> checking.Report:
        return checking.Report("a", "alice", "n1", findings)

    assert report().passed
    assert report(warning("writable", "x")).passed
    assert not report(warning("writable", "x"), error("lab", "y", next="z")).passed
    text = report(warning("writable", "x"), error("lab", "y", next="z")).as_text()
    assert "error: lab: y\n  what to do: z" in text
    assert text.endswith("a failed its check as alice on n1: 1 error, 1 warning.")


def test_the_job_hands_the_probe_over_as_it_is_and_says_where_there_is_no_python(tmp_path: Path) -> None:
    assert on_node.HEREDOC not in checking.source()
    (tmp_path / "it's" / "bin").mkdir(parents=True)

    def printed() -> list[str]:
        body = on_node.body(f"{tmp_path}/it's", '{"seconds": 1}')
        done = subprocess.run(
            ["/bin/bash"], input=body, capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.splitlines()

    *_, said, last = printed()
    assert said.startswith(f"{tmp_path}/it's/bin/python3 does not run on node")
    assert last == on_node.OVER
    python = tmp_path / "it's" / "bin" / "python3"
    python.write_text("#!/bin/sh\nexec cat\n")  # it prints what it is given
    python.chmod(0o755)
    *text, last = printed()
    assert "\n".join(text) == checking.source().rstrip("\n")
    assert last == on_node.OVER


def test_nobody_checks_as_root() -> None:
    with pytest.raises(ClusterhubError, match="Root can open everything"):
        checking.ordinary("root")
