"""The audit: locks and floors against the list of published advisories; run by ``scripts/audit``."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from _advisories import Advisories, Advisory, ListError, read_list, read_toml

ROOT = Path(__file__).resolve().parent.parent
LIST = Path("requirements", "advisories.toml")
NPM_LOCK = Path("src", "clusterhub", "hub", "proxy", "package-lock.json")
ENVIRONMENT_LISTS = Path("src", "clusterhub", "environments", "lists")
"""What `clusterhub environment build` installs for sessions."""
NAMED = 3  # advisories in a line
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """A package at one version in a lock."""

    file: str
    registry: str
    package: str
    version: str


@dataclass(frozen=True)
class Problem:
    """Something to mend."""

    where: str
    what: str
    next: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.next}"


@dataclass
class Report:
    """What an audit found."""

    problems: list[Problem] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)


def audit(root: Path = ROOT) -> Report:
    """Every lock and every floor of a checkout. Raises ListError where the list or a file cannot be read."""
    known = read_list(root / LIST)
    report = Report()
    pins = list(locked(root))
    floors = list(declared(root))
    for pin in pins:
        _check_pin(pin, known, report)
    for where, requirement in floors:
        _check_floor(where, requirement, known, report)
    for one in known.accepted:
        if not any(pin.package == one.package and _version(pin) == one.version for pin in pins):
            what = f"it accepts advisories of {one.package} {one.version}, which no lock pins any more."
            report.problems.append(Problem(str(LIST), what, "Remove that [[accepted]]."))
    report.checked = {
        "advisories": len(known.advisories),
        "pins": len(pins),
        "floors": len(floors),
    }
    return report


def locked(root: Path) -> Iterator[Pin]:
    """Everything that a lock pins."""
    for path in sorted((root / "requirements").glob("*.txt")):
        for name, version in PINNED.findall(path.read_text(encoding="utf-8")):
            yield Pin(str(path.relative_to(root)), "pypi", canonicalize_name(name), version)
    packages = json.loads((root / NPM_LOCK).read_text(encoding="utf-8"))["packages"]
    for place, package in packages.items():
        if place:
            yield Pin(str(NPM_LOCK), "npm", place.rpartition("node_modules/")[2], package["version"])


def declared(root: Path) -> Iterator[tuple[str, Requirement]]:
    """Everything that we ask for, and where it is written."""
    document = read_toml(root / "pyproject.toml")
    project = document["project"]
    lists = {
        "[build-system] requires": document["build-system"]["requires"],
        "dependencies": project["dependencies"],
        **{f"the extra {name}": listed for name, listed in project.get("optional-dependencies", {}).items()},
    }
    for where, listed in lists.items():
        for line in listed:
            yield f"pyproject.toml, {where}", _requirement(line, "pyproject.toml")
    sources = sorted((root / "requirements").glob("*.in"))
    for path in [*sources, *sorted((root / ENVIRONMENT_LISTS).glob("*.txt"))]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            text = line.partition("#")[0].strip()
            if text:
                where = f"{path.relative_to(root)}, line {number}"
                yield where, _requirement(text, where)


def _requirement(text: str, where: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise ListError(f"{where}: {text!r} cannot be read: {error}") from None


def _version(pin: Pin) -> Version:
    try:
        return Version(pin.version)
    except InvalidVersion:
        raise ListError(f"{pin.file}: {pin.package} {pin.version} cannot be compared") from None


def _check_pin(pin: Pin, known: Advisories, report: Report) -> None:
    version = _version(pin)
    for advisory in known.of(pin.registry, pin.package):
        if not advisory.concerns(version):
            continue
        acceptance = known.acceptance(advisory)
        if acceptance and acceptance.version == version:
            line = f"{pin.package} {version}: {', '.join(acceptance.ids)}: {acceptance.why}"
            if line not in report.accepted:
                report.accepted.append(line)
            continue
        mended = [one for one in sorted(advisory.fixed) if one > version]
        report.problems.append(
            Problem(
                pin.file,
                f"{pin.package} {pin.version} is affected by {advisory.id}: {advisory.what}",
                f"Raise it to {mended[0]} or newer: scripts/lock --upgrade."
                if mended
                else "No newer version mends it: pin an older one that is not affected, or drop it.",
            )
        )


def _check_floor(where: str, requirement: Requirement, known: Advisories, report: Report) -> None:
    package = canonicalize_name(requirement.name)
    admitted: list[Advisory] = []
    for advisory in known.of("pypi", package):
        lowest = advisory.lowest_admitted(requirement.specifier)
        acceptance = known.acceptance(advisory)
        if lowest is not None and not (acceptance and lowest >= acceptance.version):
            admitted.append(advisory)
    if not admitted:
        return
    floor = known.floor_above("pypi", package, requirement.specifier)
    ids = ", ".join(one.id for one in admitted[:NAMED]) + (", ..." if len(admitted) > NAMED else "")
    what = f"{requirement.name} {requirement.specifier or '(any version)'} admits what {ids} affects."
    mend = (
        f"Raise the floor: {requirement.name}>={floor}."
        if floor
        else "No floor excludes it: see its ceiling."
    )
    report.problems.append(Problem(where, what, mend))


def main(arguments: list[str]) -> int:
    """The exit code: 0 where nothing is wrong, 1 where something is, 2 where that cannot be told."""
    parser = argparse.ArgumentParser(prog="scripts/audit", description=__doc__, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print one object instead of lines")
    as_json = parser.parse_args(arguments).json
    try:
        report = audit()
    except (ListError, OSError, KeyError, ValueError) as error:
        print(f"scripts/audit: {error}", file=sys.stderr)
        return 2
    if as_json:
        print(json.dumps(asdict(report), indent=2))
    else:
        for problem in report.problems:
            print(problem)
        for line in report.accepted:
            print(f"accepted: {line}")
        counts = ", ".join(f"{count} {name}" for name, count in report.checked.items())
        print(f"{counts}: {len(report.problems) or 'nothing'} to mend")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
