"""Explanations as HTML, for the places where JupyterHub shows one to a person."""

from __future__ import annotations

from html import escape

from clusterhub.errors import Explanation
from clusterhub.languages.text import _, told


def as_html(explanation: Explanation) -> str:
    """The three parts of an explanation, and the last lines of the log where there are some.

    In the language of whoever asks.
    """
    parts = [f'<strong class="clusterhub-what">{escape(told(explanation.what))}</strong>']
    if explanation.next:
        parts.append(f'<span class="clusterhub-next">{escape(told(explanation.next))}</span>')
    if explanation.where:
        parts.append(f'<small class="clusterhub-where">{escape(told(explanation.where))}</small>')
    if explanation.log:
        lines = escape("\n".join(explanation.log))
        label = escape(told(_("Last lines of the log")))
        parts.append(f'<pre class="clusterhub-log" tabindex="0" aria-label="{label}">{lines}</pre>')
    return "<br>".join(parts[:-1]) + parts[-1] if explanation.log else "<br>".join(parts)
