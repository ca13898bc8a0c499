"""Nothing that is pinned, and nothing that a floor admits, is known to be weak; and the audit can tell."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUST_BE_LISTED = {
    "jupyterhub",
    "jupyter-server",
    "jupyter-server-proxy",
    "oauthenticator",
    "jupyterhub-kubespawner",
}

LIST = """\
[pypi.jupyterhub]
GHSA-aaaa-bbbb-cccc = { affected = ["<5.4.4"], fixed = ["5.4.4"], what = "Something." }

[pypi.notebook]
CVE-2026-11111 = { affected = ["<6.4.1", ">=7.0.0,<7.5.6"], fixed = ["6.4.1", "7.5.6"], what = "Another." }

[npm.follow-redirects]
GHSA-dddd-eeee-ffff = { affected = ["<1.16.0"], fixed = ["1.16.0"], what = "A third thing." }
"""
PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
[project]
dependencies = ["jupyterhub>=6.1,<7"]
[project.optional-dependencies]
session = ["notebook>=7.6"]
"""
LOCK = """\
jupyterhub==6.1.1 \\
    --hash=sha256:00
    # via -r hub.in
notebook==7.6.5 ; python_version >= '3.11' \\
    --hash=sha256:00
"""
NPM_LOCK = {"packages": {"": {}, "node_modules/a/node_modules/follow-redirects": {"version": "1.16.3"}}}


@pytest.fixture
def auditor(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    yield importlib.import_module("_audit")
    for name in ("_audit", "_advisories"):
        sys.modules.pop(name, None)


class Checkout:
    """The files that an audit reads, in a directory of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.npm_lock = root / "src" / "clusterhub" / "hub" / "proxy" / "package-lock.json"
        self.npm_lock.parent.mkdir(parents=True)
        self.npm_lock.write_text(json.dumps(NPM_LOCK))
        self.write("requirements/advisories.toml", LIST)
        self.write("requirements/hub.txt", LOCK)
        self.write("requirements/hub.in", "# What the hub needs.\njupyterhub>=6.1,<7\n")
        self.write("pyproject.toml", PROJECT)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_nothing_that_we_pin_or_admit_is_known_to_be_weak(auditor: ModuleType) -> None:
    report = auditor.audit()
    assert report.problems == [], "\n".join(map(str, report.problems))
    assert report.checked["pins"] > 100


def test_the_packages_that_matter_most_are_on_the_list_also_where_nothing_needs_them_yet(
    auditor: ModuleType,
) -> None:
    listed = {one.package for one in auditor.read_list(ROOT / auditor.LIST).advisories}
    assert listed >= MUST_BE_LISTED


def test_what_sites_put_beside_us_has_a_floor_that_the_audit_checks(auditor: ModuleType) -> None:
    """In extras of the package and lists of environments. KubeSpawner has none: it would take our place."""
    declared = {requirement.name for _, requirement in auditor.declared(ROOT)}
    assert declared >= MUST_BE_LISTED - {"jupyterhub-kubespawner"}


def test_a_checkout_with_mended_versions_only_has_nothing_to_mend(
    auditor: ModuleType, checkout: Checkout
) -> None:
    assert auditor.audit(checkout.root).problems == []


def problems(auditor: ModuleType, checkout: Checkout) -> list[str]:
    return [str(one) for one in auditor.audit(checkout.root).problems]


AFFECTED = "is affected by CVE-2026-11111: Another. Raise it to 7.5.6 or newer: scripts/lock --upgrade."


def test_an_affected_pin_is_named_with_what_to_raise_it_to(auditor: ModuleType, checkout: Checkout) -> None:
    checkout.change("requirements/hub.txt", "notebook==7.6.5", "notebook==7.4.0")
    (problem,) = problems(auditor, checkout)
    assert problem == f"requirements/hub.txt: notebook 7.4.0 {AFFECTED}"


def test_an_affected_package_of_the_proxy_is_named_also_inside_of_another_one(
    auditor: ModuleType, checkout: Checkout
) -> None:
    text = checkout.npm_lock.read_text().replace("1.16.3", "1.15.11")
    checkout.npm_lock.write_text(text)
    (problem,) = problems(auditor, checkout)
    assert "package-lock.json: follow-redirects 1.15.11 is affected by GHSA-dddd-eeee-ffff" in problem


@pytest.mark.parametrize(
    ("floor", "mend"),
    [
        ("notebook>=7.4", "notebook>=7.5.6"),
        ("notebook>=6.4.1", "notebook>=7.5.6"),
        ("notebook", "notebook>=7.5.6"),
        ("notebook~=7.4", "notebook>=7.5.6"),
        ("notebook<7", "notebook>=6.4.1"),
        ("notebook==7.5.5", "No floor excludes it"),
    ],
)
def test_a_floor_that_admits_an_affected_version_is_named(
    auditor: ModuleType, checkout: Checkout, floor: str, mend: str
) -> None:
    checkout.change("pyproject.toml", "notebook>=7.6", floor)
    (problem,) = problems(auditor, checkout)
    assert problem.startswith("pyproject.toml, the extra session: notebook")
    assert mend in problem


@pytest.mark.parametrize("floor", ["notebook>=7.5.6", "notebook>=6.4.1,<7", "notebook==7.6.5"])
def test_a_floor_that_admits_no_affected_version_is_not_named(
    auditor: ModuleType, checkout: Checkout, floor: str
) -> None:
    checkout.change("pyproject.toml", "notebook>=7.6", floor)
    assert problems(auditor, checkout) == []


def test_a_floor_in_the_source_of_a_lock_is_checked_too(auditor: ModuleType, checkout: Checkout) -> None:
    checkout.change("requirements/hub.in", "jupyterhub>=6.1,<7", "jupyterhub>=5.0")
    (problem,) = problems(auditor, checkout)
    assert problem.startswith("requirements/hub.in, line 2: jupyterhub")


ACCEPTED = """
[[accepted]]
package = "notebook"
version = "7.4.0"
ids = ["CVE-2026-11111"]
why = "There is no mended one yet."
"""


def test_a_floor_of_the_environments_for_sessions_is_checked_too(
    auditor: ModuleType, checkout: Checkout
) -> None:
    checkout.write(str(auditor.ENVIRONMENT_LISTS / "minimal.txt"), "# Jupyter.\nnotebook>=7.0\n")
    [problem] = auditor.audit(checkout.root).problems
    assert problem.where == "src/clusterhub/environments/lists/minimal.txt, line 2"
    assert problem.next == "Raise the floor: notebook>=7.5.6."


def test_what_is_accepted_is_told_and_holds_for_that_version_only(
    auditor: ModuleType, checkout: Checkout
) -> None:
    checkout.write("requirements/advisories.toml", LIST + ACCEPTED)
    checkout.change("requirements/hub.txt", "notebook==7.6.5", "notebook==7.4.0")
    report = auditor.audit(checkout.root)
    assert report.problems == []
    assert report.accepted == ["notebook 7.4.0: CVE-2026-11111: There is no mended one yet."]
    checkout.change("requirements/hub.txt", "notebook==7.4.0", "notebook==7.4.1")
    assert [one.partition(": ")[2] for one in problems(auditor, checkout)] == [
        f"notebook 7.4.1 {AFFECTED}",
        "it accepts advisories of notebook 7.4.0, which no lock pins any more. Remove that [[accepted]].",
    ]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[npm.follow-redirects]", "[npm.follow-redirects", "not TOML"),
        ("[npm.", "[cargo.", "there is no registry cargo"),
        ("CVE-2026-11111", "NOTE-1", "line 5: NOTE-1: that is no id of a published advisory"),
        (', what = "Another."', "", "line 5: CVE-2026-11111: an entry has"),
        ('what = "Another."', 'what = "x", why = "y"', "line 5: CVE-2026-11111: an entry has"),
        ('"Another."', '"Another"', "line 5: CVE-2026-11111: what is one sentence"),
        ('fixed = ["6.4.1", "7.5.6"]', "fixed = []", "line 5: CVE-2026-11111: affected and fixed are lists"),
        ('"7.5.6"]', '"newest"]', "line 5: CVE-2026-11111: Invalid version"),
        (">=7.0.0,<7.5.6", ">7.0.0", "line 5: CVE-2026-11111: >7.0.0: only >=, <, <= and == are used here"),
        (">=7.0.0,<7.5.6", "", "line 5: CVE-2026-11111: an empty range would be every version"),
        ('"7.5.6"]', '"7.5.5"]', "line 5: CVE-2026-11111: 7.5.5 cannot be both affected and mended"),
        ("[pypi.notebook]", "[pypi.Note_Book]", "line 5: CVE-2026-11111: the package is written note-book"),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_line_and_sentence(
    auditor: ModuleType, checkout: Checkout, old: str, new: str, sentence: str
) -> None:
    checkout.change("requirements/advisories.toml", old, new)
    with pytest.raises(auditor.ListError) as error:
        auditor.audit(checkout.root)
    assert str(error.value).startswith("advisories.toml")
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("CVE-2026-11111", "CVE-2026-99999", "CVE-2026-99999 is no advisory that concerns notebook 7.4.0"),
        ("7.4.0", "7.6.0", "CVE-2026-11111 is no advisory that concerns notebook 7.6.0"),
        ("There is no mended one yet.", " ", "it is not said why"),
    ],
)
def test_nothing_is_accepted_without_cause(
    auditor: ModuleType, checkout: Checkout, old: str, new: str, sentence: str
) -> None:
    checkout.write("requirements/advisories.toml", LIST + ACCEPTED.replace(old, new))
    with pytest.raises(auditor.ListError) as error:
        auditor.audit(checkout.root)
    assert sentence in str(error.value)


def test_the_command_ends_with_1_where_something_is_wrong_and_tells_it_as_json(
    auditor: ModuleType,
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = auditor.audit
    monkeypatch.setattr(auditor, "audit", lambda: copy(checkout.root))
    assert auditor.main([]) == 0
    assert capsys.readouterr().out == "3 advisories, 3 pins, 4 floors: nothing to mend\n"
    checkout.change("requirements/hub.txt", "jupyterhub==6.1.1", "jupyterhub==5.4.3")
    assert auditor.main(["--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["where"] == "requirements/hub.txt"
    checkout.change("requirements/advisories.toml", "[npm.", "[cargo.")
    assert auditor.main([]) == 2
    assert capsys.readouterr().err.startswith("scripts/audit: advisories.toml")


def test_the_audit_of_this_checkout_fails_once_a_pin_is_turned_back(
    auditor: ModuleType, tmp_path: Path
) -> None:
    """The real list against the real locks: what CI would see after a bad change."""
    for name in ("pyproject.toml", "requirements", str(auditor.NPM_LOCK.parent)):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    lock = tmp_path / "requirements" / "hub.txt"
    lock.write_text(lock.read_text().replace("jupyterhub==6.1.1", "jupyterhub==5.5.0"))
    found = {problem.what.split(": ")[0] for problem in auditor.audit(tmp_path).problems}
    assert found == {
        "jupyterhub 5.5.0 is affected by GHSA-mj6q-mp44-53v8",
        "jupyterhub 5.5.0 is affected by GHSA-c4gm-pwx9-9w8j",
        "jupyterhub 5.5.0 is affected by GHSA-69wv-m5fw-2fhp",
    }
