"""The sentences in the sources, and what the catalogues lack of them; run by ``scripts/translations``."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src" / "clusterhub"
CATALOGUES = SOURCES / "languages" / "catalogues"
METHODS = [
    ("**.py", "python"),
    ("hub/templates/**.html", "jinja2.ext:babel_extract"),
    ("hub/static/**.js", "javascript"),
]
OPTIONS = {"hub/templates/**.html": {"trimmed": "true", "silent": "false"}}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "counted": (1, 2)}
WIDTH = 110


def extracted() -> Catalog:
    """Every sentence that the sources mark, with the files that it is in."""
    catalog = Catalog(fuzzy=False)
    found = extract_from_dir(
        SOURCES, METHODS, OPTIONS, keywords=KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True
    )
    for name, _line, message, comments, context in found:
        catalog.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalog


def updated(path: Path, sources: Catalog) -> str:
    """The text of a catalogue with the sentences of the sources."""
    catalog = Catalog(locale=path.stem.replace("-", "_"), fuzzy=False)
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.stem.replace("-", "_"))
    catalog.update(sources, no_fuzzy_matching=True, update_header_comment=False)
    catalog.obsolete.clear()
    catalog.header_comment = (
        f"# clusterhub in {catalog.locale.english_name}. Brought up to date by scripts/translations."
    )
    catalog.fuzzy = False
    text = io.BytesIO()
    write_po(text, catalog, width=WIDTH, include_lineno=False, sort_output=True)
    # Without what changes at each run and says nothing of the translations.
    lines = text.getvalue().decode().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(('"POT-', '"PO-', '"Generated', '"Last-')))


def lacks(path: Path, sources: Catalog) -> Iterator[str]:
    """What is wrong with a catalogue, one line for each sentence."""
    mistakes = importlib.import_module("clusterhub.languages.catalogues").mistakes
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.stem.replace("-", "_"))
    for message in sources:
        if not message.id:
            continue
        there = catalog.get(message.id, message.context)
        if there is None:
            yield f"{path.name}: {message.id!r} is not in it"
        else:
            yield from (f"{path.name}: {message.id!r}: {mistake}" for mistake in mistakes(there))


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="scripts/translations", allow_abbrev=False)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 where something is missing"
    )
    parser.add_argument("--add", metavar="LANGUAGE", help="begin the catalogue of a further language")
    asked = parser.parse_args()
    sources = extracted()
    paths = sorted(CATALOGUES.glob("*.po"))
    if asked.add:
        paths.append(CATALOGUES / f"{asked.add}.po")
    if not asked.check:
        for path in paths:
            path.write_text(updated(path, sources), encoding="utf-8")
    missing = [line for path in paths for line in lacks(path, sources)]
    print("\n".join(missing) or f"{len(sources)} sentences, complete in {len(paths)} catalogues.")
    return 1 if missing and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
