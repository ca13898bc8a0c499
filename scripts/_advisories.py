"""The list of published advisories, and what it says of a version or of a requirement."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]  # installed on Python 3.10 only

REGISTRIES = ("pypi", "npm")
ID = re.compile(r"GHSA(-[0-9a-z]{4}){3}|CVE-[0-9]{4}-[0-9]{4,}|PYSEC-[0-9]{4}-[0-9]+")
NEEDED = {"affected", "fixed", "what"}
LONGEST_SENTENCE = 120


class ListError(Exception):
    """The list cannot be used: where, and what is wrong."""


@dataclass(frozen=True)
class Advisory:
    """One advisory for one package."""

    id: str
    registry: str
    package: str
    affected: tuple[SpecifierSet, ...]
    fixed: tuple[Version, ...]
    what: str

    def concerns(self, version: Version) -> bool:
        """Whether that version is an affected one."""
        return any(part.contains(version, prereleases=True) for part in self.affected)

    def lowest_admitted(self, requirement: SpecifierSet) -> Version | None:
        """The lowest affected version that the requirement admits; None where it admits none.

        Where two ranges overlap, they do so at the lower end of one of them: a list of all versions is not
        needed.
        """
        for part in self.affected:
            for candidate in sorted({*lower_ends(part), *lower_ends(requirement)}):
                if all(each.contains(candidate, prereleases=True) for each in (part, requirement)):
                    return candidate
        return None


@dataclass(frozen=True)
class Acceptance:
    """Advisories that are lived with, for one version of one package, and why."""

    package: str
    version: Version
    ids: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Advisories:
    """The whole list."""

    advisories: tuple[Advisory, ...]
    accepted: tuple[Acceptance, ...]

    def of(self, registry: str, package: str) -> Iterator[Advisory]:
        """Those of one package."""
        return (one for one in self.advisories if (one.registry, one.package) == (registry, package))

    def acceptance(self, advisory: Advisory) -> Acceptance | None:
        """The word that this advisory is lived with, for the version that it names."""
        for one in self.accepted:
            if one.package == advisory.package and advisory.id in one.ids:
                return one
        return None

    def floor_above(self, registry: str, package: str, requirement: SpecifierSet) -> Version | None:
        """The lowest mended version from which on nothing affected is admitted, if there is one."""
        mended = sorted({version for one in self.of(registry, package) for version in one.fixed})
        for version in mended:
            raised = requirement & SpecifierSet(f">={version}")
            if raised.contains(version) and not any(
                one.lowest_admitted(raised) for one in self.of(registry, package)
            ):
                return version
        return None


def lower_ends(part: SpecifierSet) -> list[Version]:
    """Where the range may begin; 0 where it has no lower end. Raises ListError for an end with >."""
    ends = []
    for one in part:
        if one.operator in (">=", "==", "~="):
            ends.append(Version(one.version.removesuffix(".*")))
        elif one.operator in (">", "==="):
            raise ListError(f"{one}: write the lower end with >=, so that it can be compared")
    return ends or [Version("0.dev0")]


def read_toml(path: Path) -> dict[str, Any]:
    """The document in that file. Raises ListError with line and column."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ListError(f"{path.name}: not TOML: {error}") from None
    return document


def read_list(path: Path) -> Advisories:
    """The list in that file. Raises ListError with the line where that can be told."""
    document = read_toml(path)
    reader = _Reader(path.name, path.read_text(encoding="utf-8"))
    unknown = set(document) - {*REGISTRIES, "accepted", "read"}
    if unknown:
        raise ListError(f"{path.name}: there is no registry {min(unknown)}; there are pypi and npm")
    advisories = [
        reader.advisory(registry, package, key, entry)
        for registry in REGISTRIES
        for package, entries in document.get(registry, {}).items()
        for key, entry in entries.items()
    ]
    accepted = [reader.acceptance(entry, advisories) for entry in document.get("accepted", [])]
    return Advisories(tuple(advisories), tuple(accepted))


class _Reader:
    """Reads entries, and knows on which line of the file each of them stands."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()

    def advisory(self, registry: str, package: str, key: str, entry: Any) -> Advisory:
        def wrong(sentence: str) -> ListError:
            return ListError(f"{self.name}, line {self._line(registry, package, key)}: {key}: {sentence}")

        if ID.fullmatch(key) is None:
            raise wrong("that is no id of a published advisory (GHSA-..., CVE-..., PYSEC-...)")
        if not isinstance(entry, Mapping) or not NEEDED <= set(entry) <= NEEDED | {"also"}:
            raise wrong("an entry has affected, fixed and what, perhaps also, and nothing else")
        if package != canonicalize_name(package) and registry == "pypi":
            raise wrong(f"the package is written {canonicalize_name(package)}")
        if "also" in entry and ID.fullmatch(str(entry["also"])) is None:
            raise wrong("its second id is no id of a published advisory")
        what = entry["what"]
        if not isinstance(what, str) or not what.endswith(".") or len(what) > LONGEST_SENTENCE:
            raise wrong(f"what is one sentence with a full stop, of {LONGEST_SENTENCE} characters at most")
        try:
            return _with_versions(key, registry, package, entry)
        except (InvalidSpecifier, InvalidVersion, TypeError, ListError) as error:
            raise wrong(str(error)) from None

    def acceptance(self, entry: Any, advisories: list[Advisory]) -> Acceptance:
        def wrong(sentence: str) -> ListError:
            return ListError(f"{self.name}: accepted: {sentence}")

        if not isinstance(entry, Mapping) or set(entry) != {"package", "version", "ids", "why"}:
            raise wrong("an entry has package, version, ids and why, and nothing else")
        if not isinstance(entry["why"], str) or not entry["why"].strip():
            raise wrong("it is not said why")
        try:
            version = Version(entry["version"])
        except (InvalidVersion, TypeError) as error:
            raise wrong(str(error)) from None
        known = {one.id for one in advisories if one.package == entry["package"] and one.concerns(version)}
        for each in entry["ids"]:
            if each not in known:
                raise wrong(f"{each} is no advisory that concerns {entry['package']} {version}")
        return Acceptance(entry["package"], version, tuple(entry["ids"]), entry["why"])

    def _line(self, registry: str, package: str, key: str) -> int:
        """Of the entry in its package's table; 1 where the file is laid out otherwise."""
        inside = False
        for number, line in enumerate(self.lines, start=1):
            if line.startswith("["):
                inside = line.split("#")[0].strip().replace('"', "") == f"[{registry}.{package}]"
            elif inside and line.split("=")[0].strip().strip('"') == key:
                return number
        return 1


def _with_versions(key: str, registry: str, package: str, entry: Mapping[str, Any]) -> Advisory:
    if not all(isinstance(entry[name], list) and entry[name] for name in ("affected", "fixed")):
        raise ListError("affected and fixed are lists, and not empty")
    affected = tuple(_range(text) for text in entry["affected"])
    fixed = tuple(Version(text) for text in entry["fixed"])
    advisory = Advisory(key, registry, package, affected, fixed, entry["what"])
    for version in fixed:
        if advisory.concerns(version):
            raise ListError(f"{version} cannot be both affected and mended")
    return advisory


def _range(text: str) -> SpecifierSet:
    part = SpecifierSet(text)
    for one in part:
        if not isinstance(one, Specifier) or one.operator not in (">=", "<", "<=", "=="):
            raise ListError(f"{one}: only >=, <, <= and == are used here")
    if not len(part):
        raise ListError("an empty range would be every version")
    return part
