"""What uv is asked, and what is made of its errors. The errors are those of uv 0.13.9, shortened.

Fails where a lock may carry addresses, an installation goes without hashes, or a full disk is called
something else.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterhub.environments import uv
from clusterhub.environments.schema import Source

PYTHON = Path("/usr/bin/python3")
LOG = Path("/shared/environments/.building/x/uv.log")


def test_a_lock_has_hashes_and_no_addresses() -> None:
    words = uv.lock(PYTHON, Path("in.txt"), Path("out.txt"), Source())
    assert {"--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"} <= {*words}


def test_an_installation_is_checked_by_hashes_and_shares_no_file_with_the_cache() -> None:
    words = uv.install(Path("/x"), [Path("lock.txt")], Source())
    assert {"--require-hashes", "--no-deps", "--compile-bytecode"} <= {*words}
    assert words[words.index("--link-mode") + 1] == "copy"


def test_a_site_without_internet_asks_no_index() -> None:
    source = Source.model_validate({"wheels": "/shared/wheels", "offline": True})
    assert uv.source_options(source) == ["--find-links", "/shared/wheels", "--no-index"]


def test_a_mirror_comes_in_place_of_the_usual_index_and_others_before_it() -> None:
    source = Source.model_validate(
        {"index": "https://mirror.example.org/simple", "extra_indexes": ["https://own.example.org/simple"]}
    )
    assert uv.source_options(source) == [
        *("--default-index", "https://mirror.example.org/simple"),
        *("--index", "https://own.example.org/simple"),
    ]


ERRORS = {
    "The disk is full": """\
error: Failed to install: a-1-py3-none-any.whl
  Caused by: failed to copy file
  Caused by: No space left on device (os error 28)""",
    "do not go together": """\
  No solution found when resolving dependencies:
  Because a was not found in the package registry, your requirements are unsatisfiable.""",
    "its hash differs": "error: Hash mismatch for `a==1`",
    "could not be fetched": """\
error: Request failed after 3 retries
  Caused by: error sending request for url (https://example.org/simple/a/)""",
    "uv failed": "error: something new",
}


@pytest.mark.parametrize("said", ERRORS)
def test_an_error_of_uv_is_said_in_words_with_its_last_lines(said: str) -> None:
    output = ERRORS[said].splitlines()
    error = uv.failure("installing", output, LOG)
    assert said in error.explanation.what
    assert error.explanation.log[-1] == output[-1]
    assert error.explanation.where == str(LOG)


def test_a_quota_that_is_used_up_is_a_full_disk() -> None:
    output = ["error: Failed to write", "  Caused by: Disk quota exceeded (os error 122)"]
    assert "The disk is full" in uv.failure("installing", output, LOG).explanation.what
