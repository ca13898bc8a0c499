"""Which language a page is in: found for each request, spoken by the templates, chosen by the person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from babel.support import NullTranslations
from jinja2 import Environment
from jinja2.ext import InternationalizationExtension
from jupyterhub.handlers.base import BaseHandler
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from clusterhub.errors import ClusterhubError
from clusterhub.hub.jupyterhub_texts import marked
from clusterhub.languages.catalogues import SOURCE, Catalogue, read_catalogues
from clusterhub.languages.preference import preferred
from clusterhub.languages.text import CURRENT, Text, told
from clusterhub.site.schema import Site

COOKIE = "clusterhub-language"
COOKIE_DAYS = 400
"""The longest that browsers keep one."""
SETTING = "clusterhub_languages"
"""Where the hub's web application keeps its `Languages`."""

PLAIN = Catalogue(SOURCE, NullTranslations(), {})
"""English as it stands in the sources."""


@dataclass(frozen=True)
class Languages:
    """The languages of a site."""

    offered: Mapping[str, Catalogue]
    default: str

    @classmethod
    def of(cls, site: Site) -> Languages:
        """Raises ClusterhubError where the site names one that is not there."""
        there = read_catalogues(site.pages.translations)
        wanted = site.pages.languages or tuple(there)
        for language in (*wanted, site.pages.language):
            if language not in there:
                raise ClusterhubError(
                    f'There is no catalogue of translations for the language "{language}".',
                    where=f"{site.path}: [pages] languages",
                    next=f"Choose of {', '.join(there)}, or put {language}.po into the directory that "
                    "translations names.",
                )
        return cls({each: there[each] for each in wanted}, site.pages.language)

    def preferred(self, request: HTTPServerRequest) -> Catalogue:
        """The language for whoever asks."""
        chosen = request.cookies[COOKIE].value if COOKIE in request.cookies else None
        asked = request.headers.get("Accept-Language", "")
        if chosen is None and not asked and "/hub/api/" in request.path:
            return PLAIN  # a program, which may look at the words
        return self.offered[preferred(tuple(self.offered), chosen, asked, self.default)]

    def __deepcopy__(self, memo: object) -> Languages:
        """Itself: traitlets copies what it is configured with, and nobody changes this."""
        return self


class Speaking(OutputTransform):
    """tornado makes one for each request before the handler runs; the handler's task inherits its context."""

    def __init__(self, request: HTTPServerRequest, languages: Languages) -> None:
        self._catalogue = languages.preferred(request)
        CURRENT.set(self._catalogue)

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Says of a page what language it is in, and what that depends on."""
        if headers.get("Content-Type", "").startswith("text/html"):
            headers["Content-Language"] = self._catalogue.language
            headers.add("Vary", "Accept-Language, Cookie")
        return super().transform_first_chunk(status_code, headers, chunk, finishing)


def speaking(languages: Languages) -> Callable[[HTTPServerRequest], Speaking]:
    """For tornado's setting ``transforms``."""
    return partial(Speaking, languages=languages)


class Translated(InternationalizationExtension):
    """Templates with ``_()`` and ``{% trans %}``, in the language of whoever asks.

    JupyterHub's own templates, which know of no languages, have their texts marked as they are read.
    """

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.policies["ext.i18n.trimmed"] = True
        environment.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
        environment.globals.update(clusterhub_language=current_language, clusterhub_script_texts=script_texts)
        # Sentences that come from Python.
        environment.finalize = _finalized

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Called by Jinja with each template's text."""
        return super().preprocess(marked(source, filename), name, filename)


def current_language() -> str:
    """The code of the language of whoever asks."""
    catalogue = CURRENT.get()
    return catalogue.language if catalogue is not None else SOURCE


def script_texts() -> Mapping[str, str]:
    """What the page's JavaScript says, in the language of whoever asks; empty in English."""
    catalogue = CURRENT.get()
    return catalogue.of_scripts if isinstance(catalogue, Catalogue) else {}


def _gettext(message: str) -> str:
    catalogue = CURRENT.get()
    return catalogue.gettext(message) if catalogue is not None else message


def _ngettext(one: str, many: str, count: int) -> str:
    catalogue = CURRENT.get()
    if catalogue is None:
        return one if count == 1 else many
    return catalogue.ngettext(one, many, count)


def _finalized(value: Any) -> Any:
    return told(value) if isinstance(value, Text) else value


class LanguageHandler(BaseHandler):
    """``POST /hub/clusterhub/language``: a person's choice, kept in a cookie, without having to log in."""

    async def post(self) -> None:
        """Goes back to where the choice was made, which is a page of the hub's."""
        languages: Languages = self.settings[SETTING]
        language = self.get_body_argument("language", "")
        if language in languages.offered:
            options = {"samesite": "Lax", **self.settings.get("cookie_options", {})}
            self.set_cookie(
                COOKIE, language, path=self.hub.base_url, expires_days=COOKIE_DAYS, httponly=True, **options
            )
        self.redirect(self.get_next_url(default=self.hub.base_url))


HANDLERS = [(r"/clusterhub/language", LanguageHandler)]


def choices(languages: Languages) -> Sequence[tuple[str, str]]:
    """For the selector: each language's code and name; nothing where there is nothing to choose."""
    if len(languages.offered) < 2:  # noqa: PLR2004 - one is no choice
        return ()
    return tuple((code, catalogue.name) for code, catalogue in languages.offered.items())
