"""What JupyterHub would write into a log that is nobody's to read there. For the hub and for sessions."""

from __future__ import annotations

import logging

HIDDEN = "[hidden]"


def keep_cookies_out_of_logs() -> None:
    """What is in cookies stays out of the log.

    JupyterHub 6 writes it there, by tornado's logger: at level INFO the id of the browser's session, and the
    number by which a login cookie knows its person (`jupyterhub._xsrf_utils`); at DEBUG that id, and the hash
    of a token (`jupyterhub.services.auth`).
    """
    logging.getLogger("tornado.application").addFilter(_hide)


def _hide(record: logging.LogRecord) -> bool:
    if record.module == "_xsrf_utils" and isinstance(record.args, tuple):
        # All that is not a page's address, which is a text: the values are bytes.
        record.args = tuple(HIDDEN if isinstance(each, bytes) else each for each in record.args)
    if record.module == "auth" and str(record.msg).startswith("HubAuth cache miss"):
        record.args = (HIDDEN,)
    return True
