"""Every sentence that a page says is in every catalogue, with its values.

Fails where somebody adds a sentence and translates it nowhere, or leaves one of its values out. Without the
check of values in `mistakes` the second test fails, without that of emptiness the first.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Message

from clusterhub.errors import ClusterhubError
from clusterhub.languages.catalogues import OURS, mistakes, read_catalogues

REPOSITORY = Path(__file__).resolve().parents[3]
REMEDY = "Run scripts/translations, then write what it lists into each catalogue, at its empty msgstr."


@pytest.fixture(scope="module")
def translations() -> ModuleType:
    """What `scripts/translations` runs."""
    path = REPOSITORY / "scripts" / "_translations.py"
    specification = importlib.util.spec_from_file_location("_translations", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["_translations"] = module
    specification.loader.exec_module(module)
    return module


def test_every_sentence_is_in_every_catalogue(translations: ModuleType) -> None:
    sources = translations.extracted()
    paths = sorted(OURS.glob("*.po"))
    assert [path.stem for path in paths] == ["da", "fi", "nb", "sv"]
    lacking = [line for path in paths for line in translations.lacks(path, sources)]
    assert not lacking, f"{REMEDY}\n" + "\n".join(lacking)


def test_no_catalogue_keeps_what_nobody_says_any_more(translations: ModuleType) -> None:
    sources = {message.id for message in translations.extracted() if message.id}
    for path in OURS.glob("*.po"):
        with path.open("rb") as file:
            there = {message.id for message in translations.read_po(file) if message.id}
        assert there <= sources, f"Run scripts/translations: {path.name} has {there - sources}"


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        (Message("{a} of {b}", "{b} av {a}"), False),
        (Message("{a} of {b}", "{a}"), True),
        (Message("{} and {}", "{}"), True),
        (Message("%(name)s waits", "%(nam)s väntar"), True),
        (Message("Wait", ""), True),
        (Message("Wait", "Vänta", flags={"fuzzy"}), True),
        (Message(("one job", "{count} jobs"), ("ett jobb", "{count} jobb")), False),
        (Message(("one job", "{count} jobs"), ("ett jobb", "jobb")), True),
    ],
)
def test_a_translation_that_lacks_something_is_found(message: Message, wrong: bool) -> None:
    assert bool(list(mistakes(message))) is wrong


def _write(directory: Path, name: str, *entries: tuple[str, str]) -> None:
    lines = [f'msgid "{message}"\nmsgstr "{said}"\n' for message, said in entries]
    text = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n' + "\n".join(lines)
    (directory / name).write_text(text, encoding="utf-8")


def test_a_site_says_it_in_its_own_words_and_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    _write(tmp_path, "sv.po", ("Start", "Sätt igång"))
    found = read_catalogues(tmp_path)["sv"]
    assert (found.gettext("Start"), found.gettext("Stop")) == ("Sätt igång", "Stoppa")


def test_a_site_adds_a_language_of_its_own(tmp_path: Path) -> None:
    _write(tmp_path, "fr.po", ("Start", "Démarrer"))
    found = read_catalogues(tmp_path)
    assert set(found) == {"da", "en", "fi", "fr", "nb", "sv"}
    assert (found["fr"].gettext("Start"), found["fr"].gettext("Stop")) == ("Démarrer", "Stop")
    assert found["fr"].name == "Français"


def test_a_site_s_translation_without_its_value_is_left_out(tmp_path: Path) -> None:
    _write(tmp_path, "sv.po", ("It could not be stopped (HTTP {status}). Try again.", "Det gick inte."))
    found = read_catalogues(tmp_path)["sv"]
    assert "{status}" in found.gettext("It could not be stopped (HTTP {status}). Try again.")


@pytest.mark.parametrize(("name", "text"), [("sv.po", 'msgid "a\n'), ("klingonian.po", "")])
def test_a_catalogue_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ClusterhubError) as caught:
        read_catalogues(tmp_path)
    assert caught.value.explanation.where == str(tmp_path / name)
