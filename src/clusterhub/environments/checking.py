"""`clusterhub environment check`: an environment, opened as who is to use it, here or on a node."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from clusterhub.environments.adoption import look
from clusterhub.environments.findings import Finding, error
from clusterhub.environments.person import Person
from clusterhub.environments.probe import MARK
from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.model import CommandResult

LONGEST_TEXT = 1000
"""Characters of each text that a probe may say."""
SPARE_SECONDS = 30.0
"""Beyond its patience a probe may take so long to tidy up."""

Run = Callable[[str, str], CommandResult]
"""Runs the probe in the environment: given its directory and the probe's settings, what it printed."""


@dataclass(frozen=True)
class Report:
    """What a check found."""

    name: str
    person: str
    where: str
    """On which host."""
    findings: tuple[Finding, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True where sessions run; there may be warnings."""
        return not any(each.severity == "error" for each in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "version": self.name,
            "passed": self.passed,
            "person": self.person,
            "node": self.where,
            "facts": self.facts,
            "findings": [each.as_json() for each in self.findings],
        }

    def as_text(self) -> str:
        """The report for a terminal."""
        lines = [each.as_text() for each in self.findings]
        if "lab_seconds" in self.facts:
            extensions = len(self.facts.get("labextensions", {}))
            lines.append(
                f"JupyterLab served after {self.facts['lab_seconds']} s, with {extensions} extensions."
            )
        for kernel, seconds in self.facts.get("kernels", {}).items():
            lines.append(f"Kernel {kernel} ran a notebook in {seconds} s.")
        errors = sum(each.severity == "error" for each in self.findings)
        warnings = len(self.findings) - errors
        verdict = "passed" if self.passed else "failed"
        counts = [
            f"{number} {word}{'s' if number > 1 else ''}"
            for number, word in ((errors, "error"), (warnings, "warning"))
            if number
        ]
        lines.append(
            f"{self.name} {verdict} its check as {self.person} on {self.where}"
            f"{': ' + ', '.join(counts) if counts else ''}."
        )
        return "\n".join(lines)


def check(name: str, directory: Path, person: Person, run: Run, *, host: str, seconds: float) -> Report:
    """Look at the environment from outside, then open it as the person, for ``seconds`` at most."""
    interpreter, found = look(directory)
    if interpreter is None:
        return Report(name, person.name, host, tuple(found))
    result = run(str(directory), json.dumps({"seconds": seconds}))
    inside, facts = reading(result)
    return Report(name, person.name, str(facts.get("node", host)), (*found, *inside), facts)


def here(person: Person, seconds: float) -> Run:
    """Runs the probe on this very host."""

    def run(directory: str, settings: str) -> CommandResult:
        return person.run(
            [f"{directory}/bin/python3", "-I", "-"],
            seconds=seconds + SPARE_SECONDS,
            stdin=source(),
            environment={"CLUSTERHUB_PROBE": settings},
        )

    return run


def source() -> str:
    """The text of the probe, which travels to wherever it runs."""
    return resources.files("clusterhub.environments").joinpath("probe.py").read_text(encoding="utf-8")


def reading(result: CommandResult) -> tuple[list[Finding], dict[str, Any]]:
    """What the probe found and saw, or a finding that says why it found nothing. Pure.

    It ran as the person, who can have it say anything: no more is taken from it than fits.
    """
    found = re.search(rf"(?m)^{MARK}(.*)$", result.stdout)
    try:
        told = json.loads(found[1]) if found else {}
        findings = [_finding(each) for each in told["findings"]]
        facts = told["facts"]
        kernels = {_shown(name): float(seconds) for name, seconds in facts.get("kernels", {}).items()}
        seen: dict[str, Any] = {
            **{name: _shown(facts[name]) for name in ("node", "account", "python", "prefix")},
            "labextensions": {_shown(k): _shown(v) for k, v in facts.get("labextensions", {}).items()},
            "kernels": kernels,
        }
        if "lab_seconds" in facts:
            seen["lab_seconds"] = float(facts["lab_seconds"])
        return findings, seen
    except (ValueError, TypeError, KeyError, AttributeError):
        return [_unopened(result)], {}


def _unopened(result: CommandResult) -> Finding:
    said = [_shown(line) for line in f"{result.stdout}\n{result.stderr}".splitlines() if line.strip()]
    why = result.problem or "; ".join(said[-2:])[-400:] or f"it ended with code {result.exit_code}"
    return error(
        "opening",
        f"it cannot be opened: {why}",
        next="see that this account can run its Python there, and that the node has the file system",
    )


def _finding(told: dict[str, object]) -> Finding:
    return Finding(
        _shown(told["check"]),
        "warning" if told["severity"] == "warning" else "error",
        _shown(told["what"]),
        _shown(told["where"]),
        _shown(told["next"]),
    )


def _shown(text: object) -> str:
    """Text for a terminal, which must not take it for a command."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:LONGEST_TEXT])


def ordinary(name: str) -> Person:
    """The person as whom to look. Raises ClusterhubError for root, before whom nothing is closed."""
    person = Person.named(name) if name else Person.running()
    if person.uid == 0:
        raise ClusterhubError(
            "Root can open everything, so a check as root would show nothing.",
            next="Name an ordinary account: --as-user NAME.",
        )
    return person
