"""A sentence is English wherever it is a string, and translated where it is told.

Fails where a value is lost on the way, or what a person typed is read as a pattern (`Text.told` formats the
message of the catalogue, never its own English).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest

from clusterhub.languages.text import CURRENT, Text, _, as_record, counted, from_record, joined, told

SWEDISH = {
    "Job {job} waits.": "Jobbet {job} väntar.",
    "no licence is free": "ingen licens är ledig",
    "It waits: {why}.": "Det väntar: {why}.",
}


class Swedish:
    language = "sv"

    def gettext(self, message: str) -> str:
        return SWEDISH.get(message, message)

    def ngettext(self, one: str, many: str, count: int) -> str:
        return {one: "ett jobb före", many: "{count} jobb före"}[one if count == 1 else many]


@pytest.fixture
def swedish() -> Iterator[None]:
    token = CURRENT.set(Swedish())
    yield
    CURRENT.reset(token)


WAITS = _("Job {job} waits.").format(job="7")
WHY = _("It waits: {why}.").format(why=_("no licence is free"))


@pytest.mark.usefixtures("swedish")
def test_it_is_english_in_a_log_and_in_an_answer_of_the_api() -> None:
    assert f"{WAITS}" == "Job 7 waits."
    assert json.dumps({"what": WAITS}) == '{"what": "Job 7 waits."}'


@pytest.mark.usefixtures("swedish")
def test_it_is_told_in_the_language_of_whoever_asks() -> None:
    assert told(WAITS) == "Jobbet 7 väntar."
    assert told("said by somebody else") == "said by somebody else"


def test_it_is_told_in_english_where_nobody_asks() -> None:
    assert told(WHY) == "It waits: no licence is free."


@pytest.mark.usefixtures("swedish")
def test_a_sentence_within_a_sentence_is_translated_along_with_it() -> None:
    assert told(WHY) == "Det väntar: ingen licens är ledig."


@pytest.mark.usefixtures("swedish")
def test_sentences_one_after_the_other_are_translated_each() -> None:
    assert told(joined([WAITS, WHY])) == "Jobbet 7 väntar. Det väntar: ingen licens är ledig."
    assert told(WAITS + " " + WHY) == "Jobbet 7 väntar. Det väntar: ingen licens är ledig."
    assert told("(" + WAITS + ")") == "(Jobbet 7 väntar.)"


@pytest.mark.usefixtures("swedish")
@pytest.mark.parametrize(
    ("count", "english", "said"), [(1, "one job", "ett jobb före"), (3, "3 jobs", "3 jobb före")]
)
def test_a_number_chooses_the_form(count: int, english: str, said: str) -> None:
    text = counted("one job", "{count} jobs", count)
    assert (str(text), told(text)) == (english, said)


@pytest.mark.usefixtures("swedish")
def test_what_a_person_typed_is_no_pattern() -> None:
    assert told(_("Job {job} waits.").format(job="{0.__class__}")) == "Jobbet {0.__class__} väntar."


@pytest.mark.usefixtures("swedish")
@pytest.mark.parametrize(
    "text", [WAITS, WHY, joined([WAITS, WHY]), counted("one job", "{count} jobs", 3), "plain"]
)
def test_it_is_translated_also_after_it_was_stored(text: str) -> None:
    read = from_record(json.loads(json.dumps(as_record(text))))
    assert (str(read), told(read)) == (str(text), told(text))


@pytest.mark.usefixtures("swedish")
def test_a_copy_is_translated_as_well() -> None:
    assert isinstance(copy.deepcopy(WHY), Text)
    assert told(copy.deepcopy(WHY)) == told(WHY)
