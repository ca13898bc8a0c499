"""Pure checks of texts and command lines. Each returns what it was given, or raises `Refused`."""

from __future__ import annotations

import re

from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.options import (
    HUB_AND_SERVER,
    NOTHING_DONE,
    PROGRAMS,
    TOLD_THE_VERB,
    directive_words,
)
from clusterhub.privileged.helper.refusal import Refused

MOST_WORDS = 64  # of a command line
PERSON = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")
JOB = re.compile(r"[1-9][0-9]{0,9}")
LOG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,150}\.log")
OUTPUT_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.@+-]|%j|\{job\}){0,150}\.log")
REQUEST_ID = re.compile(r"(?:[0-9a-f]{16})?")
TICKET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,150}\.ticket")


def check_text(value: object, where: str, longest: int, pattern: re.Pattern[str] | None = None) -> str:
    """A text of at most that many bytes, all of it in the pattern."""
    if not isinstance(value, str):
        raise Refused("a text was expected", where)
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise Refused("the text is not valid Unicode", where) from None
    if size > longest or "\0" in value:
        raise Refused(f"the text is longer than {longest} bytes, or has a NUL in it", where)
    if pattern is not None and pattern.fullmatch(value) is None:
        raise Refused("the text has characters or a form that are not allowed here", where)
    return value


def check_words(value: object) -> list[str]:
    """The words of a command line, one at least."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_WORDS:
        raise Refused(f"a list of 1 to {MOST_WORDS} texts was expected", "argv")
    words = [check_text(word, f"argv[{place}]", 8192) for place, word in enumerate(value)]
    for place, word in enumerate(words):
        # Also what turns the direction of a line, or ends one: schedulers print their records on terminals.
        if not word.isprintable():
            raise Refused("a word has characters that cannot be printed", f"argv[{place}]")
    return words


def check_submission(
    argv: list[str], person: str, configuration: Configuration, verb: str = "submit"
) -> list[str]:
    """The command line of a submission: closed options and the operator's, this person's tag and log.

    That of an estimate is the same, but with what keeps it from submitting anything.
    """
    values = _options(argv, verb, configuration)
    if verb == "estimate" and argv[0] not in TOLD_THE_VERB and NOTHING_DONE not in values:
        raise Refused("this would submit a job", "argv")
    tag = re.fullmatch(HUB_AND_SERVER, values.get("--comment", values.get("--tag", "")))
    if tag is None or tag["person"] != person:
        raise Refused("the job has no tag of this person's", "argv")
    directory, _, name = values.get("--output", "").rpartition("/")
    if directory != f"{configuration.session_directory}/{person}" or OUTPUT_NAME.fullmatch(name) is None:
        raise Refused("the log is not a *.log directly in the person's session directory", "--output")
    return argv


def check_cancellation(argv: list[str], configuration: Configuration, verb: str = "cancel") -> list[str]:
    """The command line of a cancel or signal: closed options, then exactly one job."""
    if len(argv) == 1:
        raise Refused(f"a {verb} names one job", "argv")
    _options(argv[:-1], verb, configuration)
    check_text(argv[-1], "job", 10, JOB)
    return argv


def _options(argv: list[str], verb: str, configuration: Configuration) -> dict[str, str]:
    """The options with their values, all of them on the list and each given once; directives left out."""
    options = PROGRAMS.get(argv[0], {}).get(verb) if argv[0] in configuration.programs else None
    if options is None:
        what = f"there is no program of that name to {verb} with"
        raise Refused(what, "argv[0]", "add it to the helper's configuration")
    place = 1
    if argv[0] in TOLD_THE_VERB:
        if argv[1:2] != [verb]:
            raise Refused(f"the first word is not {verb}", "argv[1]")
        place = 2
    # What the operator adds is for submitting.
    submits = verb in ("submit", "estimate")
    directives = [directive_words(one) for one in configuration.directives] if submits else []
    values: dict[str, str] = {}
    while place < len(argv):
        directive = next((words for words in directives if words == argv[place : place + len(words)]), None)
        if directive:
            place += len(directive)
            continue
        option, equals, value = argv[place].partition("=")
        where = f"argv[{place}]"
        if option not in options:
            next_step = "operators add further ones to their cluster's directives"
            raise Refused("an option is not on the list", where, next_step)
        if option in values:
            raise Refused(f"{option} is given twice", where)
        pattern = options[option]
        if bool(equals) != (pattern is not None) or (pattern and re.fullmatch(pattern, value) is None):
            raise Refused(f"the value of {option} has a form that is not allowed", where)
        if option == "--directory" and value not in configuration.engine_directories:
            raise Refused("not a directory of the local engine's", where)
        values[option] = value
        place += 1
    return values
