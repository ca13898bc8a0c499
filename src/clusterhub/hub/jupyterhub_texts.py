"""The texts in JupyterHub's own templates that are translated: they are marked as the templates are read.

JupyterHub's templates know of no languages, and replacing them would lose what its next version adds.
"""

from __future__ import annotations

import re
from pathlib import Path

from jupyterhub._data import DATA_FILES_PATH

from clusterhub.languages.text import _

TEMPLATES = Path(DATA_FILES_PATH) / "templates"

TEXTS = (
    # page.html
    _("Home"),
    _("Token"),
    _("Admin"),
    _("Services"),
    _("Logout"),
    _("Login"),
    _("Toggle navigation"),
    _("Toggle dark mode"),
    _("Close"),
    # login.html
    _("Sign in"),
    _("Username:"),
    _("Password:"),
    _("Show password"),
    # logout.html
    _("Successfully logged out."),
    # stop_pending.html
    _("Your server is stopping."),
    _("You will be able to start it again once it has finished stopping."),
    _("refresh"),
    # token.html
    _("Manage JupyterHub Tokens"),
    _("Note"),
    _("note to identify your new token"),
    _("This note will help you keep track of what your tokens are for."),
    _("Token expires in"),
    _("You can configure when your token will expire."),
    _("Permissions"),
    _("list of scopes for the token to have, separated by space"),
    _("Request new API token"),
    _("Your new API Token"),
    _("API Tokens"),
    _("Last used"),
    _("Created"),
    _("Expires"),
    _("Never"),
    _("revoke"),
    _("scopes"),
    _("Authorized Applications"),
    _("Application"),
    _("First authorized"),
    # oauth.html
    _("Authorize access"),
    _("This will grant the application permission to:"),
    _("Authorize"),
)
"""Each stands alone between two tags, or is what an attribute says that people read."""

_LANGUAGE = ('<html lang="en">', '<html lang="{{ clusterhub_language() }}">')
_ATTRIBUTES = r"(?:aria-label|title|placeholder|alt|value)"


def marked(source: str, filename: str | None) -> str:
    """A template's text as it is read: one of JupyterHub's own with its texts marked for translation."""
    if filename is None or Path(filename).parent != TEMPLATES:
        return source
    source = source.replace(*_LANGUAGE)
    for text in TEXTS:
        call = f'{{{{ gettext("{text}") }}}}'
        words = r"\s+".join(re.escape(word) for word in text.split())
        source = re.sub(rf"((?:>|%}})\s*){words}(?=\s*(?:<|{{%))", rf"\g<1>{call}", source)
        source = re.sub(
            rf"(\s{_ATTRIBUTES}=)(?:\"{words}\"|'{words}')",
            lambda found, call=call: found[1] + "'" + call + "'",  # type: ignore[misc]
            source,
        )
    return source
