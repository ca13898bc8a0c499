"""The file that `clusterhub up` starts JupyterHub with; everything in it comes from the site."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jupyterhub.user import User

import clusterhub
from clusterhub.audit.events import HubStarted
from clusterhub.audit.request import tell_in_log_lines
from clusterhub.hub import door
from clusterhub.hub.additions import (
    add_to_list,
    add_to_table,
    add_to_table_unless_said,
    said_of,
    set_unless_said,
)
from clusterhub.hub.announcing import Announcing
from clusterhub.hub.api import HANDLERS
from clusterhub.hub.application import AVAILABILITY
from clusterhub.hub.audited import auditing
from clusterhub.hub.availability import Availability
from clusterhub.hub.compression import Compressed
from clusterhub.hub.configure import as_config, ensure_proxy_token, resolve
from clusterhub.hub.database import Database
from clusterhub.hub.disabled_accounts import DisabledAccounts
from clusterhub.hub.endings import HANDLERS as ENDING_HANDLERS
from clusterhub.hub.face import face_of
from clusterhub.hub.form import choice_from_form, options_form
from clusterhub.hub.home_page import HANDLERS as HOME_HANDLERS
from clusterhub.hub.home_page import RESUMPTION, HomeView
from clusterhub.hub.incoming import LOG_FORMAT, incoming
from clusterhub.hub.maintenance import Maintenance, maintenance
from clusterhub.hub.notices import notices
from clusterhub.hub.operators import SETTING as OPERATORS
from clusterhub.hub.operators import Operators
from clusterhub.hub.overview import Overview
from clusterhub.hub.overview_page import HANDLERS as OVERVIEW_HANDLERS
from clusterhub.hub.overview_page import OVERVIEW
from clusterhub.hub.own_api import OwnApi
from clusterhub.hub.own_files import HANDLERS as OWN_FILES
from clusterhub.hub.own_files import address
from clusterhub.hub.page_policy import MarkedScripts, cookie_options, headers_of_every_answer
from clusterhub.hub.page_times import length_words, time_element
from clusterhub.hub.presets import HANDLERS as PRESET_HANDLERS
from clusterhub.hub.relaunch import Offer, hidden_fields, offer, server_of
from clusterhub.hub.resumption import Resumption
from clusterhub.hub.sessions import HANDLERS as SESSION_HANDLERS
from clusterhub.hub.speaking import HANDLERS as LANGUAGE_HANDLERS
from clusterhub.hub.speaking import SETTING as LANGUAGES
from clusterhub.hub.speaking import Languages, Translated, choices, speaking
from clusterhub.hub.start_time import HANDLERS as START_HANDLERS
from clusterhub.hub.stop_page import HANDLERS as STOP_HANDLERS
from clusterhub.hub.unanswered import HANDLERS as UNANSWERED_HANDLERS
from clusterhub.schedulers.command import wait_without_threads
from clusterhub.session.discretion import keep_cookies_out_of_logs
from clusterhub.site.announcements import Announcement
from clusterhub.site.loading import load
from clusterhub.spawner.clusters import SETTING, Clusters
from clusterhub.spawner.ending_store import Ending
from clusterhub.spawner.operator_messages import Message

site = load(Path(os.environ["CLUSTERHUB_SITE"]))
api = OwnApi(site)
languages = Languages.of(site)
resumption = Resumption(api)
clusters = Clusters(site, on_interrupted=resumption.add)
announcing = Announcing(site.hub.announcements)
# JupyterHub reads this file within its loop.
wait_without_threads()
door.put_up()
asyncio.get_running_loop().call_soon(clusters.begin)
if site.login.when_disabled == "stop":
    disabled_accounts = DisabledAccounts(clusters, api)
    asyncio.get_running_loop().call_soon(disabled_accounts.begin)


def ending_on_page(_current_user: object) -> Callable[[str, str], Ending | None]:
    """JupyterHub calls what is callable, and hands the answer to the template."""
    return clusters.endings.on_page


def home_on_page(_current_user: object) -> Callable[[User], HomeView]:
    """As above."""
    return lambda user: HomeView(clusters, user)


def messages_on_page(_current_user: object) -> Callable[[User], tuple[Message, ...]]:
    """As above."""
    return lambda user: clusters.messages.to(user.name)


def maintenance_on_page(_current_user: object) -> Callable[[User], Awaitable[list[Maintenance]]]:
    """As above; awaited by the template."""
    return lambda user: maintenance(clusters, user.name)


def announcements_on_page(_current_user: object) -> tuple[Announcement, ...]:
    """Asked anew for each page, also of somebody who is not logged in."""
    return announcing.now()


def announcing_problem(_current_user: object) -> str:
    """As above; the template shows it to operators only."""
    return announcing.problem


def choice_on_page(_current_user: object) -> Callable[[object, str], list[tuple[str, str]]]:
    """As above."""
    return lambda user, server: hidden_fields(site, user, server)


def mend_on_page(_current_user: object) -> Callable[[Any, str], Awaitable[Offer | None]]:
    """As above; templates await it."""
    return lambda user, server: offer(clusters, user, server)


def notices_on_page(current_user: User | None) -> tuple[str, ...]:
    """Asked anew for each page."""
    return notices(clusters, current_user.name) if current_user is not None else ()


def audit_problem(_current_user: object) -> str:
    """As `ending_on_page`; the template shows it to operators only."""
    return clusters.audit.problem


tell_in_log_lines()
keep_cookies_out_of_logs()
clusters.audit.note(HubStarted(version=clusterhub.__version__))

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it
c.merge(as_config(resolve(site)))
c.ConfigurableHTTPProxy.auth_token = ensure_proxy_token(site)
set_unless_said(c, "ClusterSpawner", "options_form", options_form, also="Spawner")
set_unless_said(c, "ClusterSpawner", "options_from_form", choice_from_form, also="Spawner")
add_to_list(
    c,
    "JupyterHub",
    "extra_handlers",
    [
        *HANDLERS,
        *ENDING_HANDLERS,
        *SESSION_HANDLERS,
        *LANGUAGE_HANDLERS,
        *UNANSWERED_HANDLERS,
        *OWN_FILES,
        *STOP_HANDLERS,
        *HOME_HANDLERS,
        *START_HANDLERS,
        *PRESET_HANDLERS,
        *OVERVIEW_HANDLERS,
    ],
)
add_to_list(c, "JupyterHub", "services", [api.service()])
operators = Operators(site, clusters.audit)
add_to_list(c, "JupyterHub", "load_roles", [api.role()])
# A drop-in file may say itself what an operator may do.
said = {role["name"] for role in c.JupyterHub.load_roles}
add_to_list(
    c, "JupyterHub", "load_roles", [role for role in operators.load_roles() if role["name"] not in said]
)
availability = Availability(Database(c.JupyterHub.db_url, c.JupyterHub.db_kwargs))
add_to_list(c, "JupyterHub", "trusted_downstream_ips", [])  # there is a list, also where one was appended to
set_unless_said(c, "JupyterHub", "log_format", LOG_FORMAT)
add_to_table(
    c,
    "JupyterHub",
    "tornado_settings",
    {
        SETTING: clusters,
        AVAILABILITY: availability,
        OPERATORS: operators,
        RESUMPTION: resumption,
        OVERVIEW: Overview(site),
        "log_function": auditing(clusters.audit),
        LANGUAGES: languages,
        "transforms": [
            incoming(c.JupyterHub.trusted_downstream_ips, headers_of_every_answer(site)),
            speaking(languages),
            Compressed,
        ],
    },
)
cookies = cookie_options(site)
add_to_table_unless_said(
    c,
    "JupyterHub",
    "tornado_settings",
    # No script of the hub's pages reads that cookie; they have what it holds in themselves.
    {"cookie_options": cookies, "xsrf_cookie_kwargs": {**cookies, "httponly": True}},
)
templates = said_of(c, "JupyterHub", "jinja_environment_options", {})
add_to_table(
    c,
    "JupyterHub",
    "jinja_environment_options",
    {"extensions": [*templates.get("extensions", []), MarkedScripts, Translated]},
)
add_to_table(
    c,
    "JupyterHub",
    "template_vars",
    {
        "clusterhub_ending": ending_on_page,
        "clusterhub_home": home_on_page,
        "clusterhub_messages": messages_on_page,
        "clusterhub_maintenance": maintenance_on_page,
        "clusterhub_announcements": announcements_on_page,
        "clusterhub_announcing_problem": announcing_problem,
        "clusterhub_choice": choice_on_page,
        "clusterhub_mend": mend_on_page,
        "clusterhub_server_of": lambda _current_user: server_of,
        "clusterhub_notices": notices_on_page,
        "clusterhub_audit_problem": audit_problem,
        "clusterhub_time": lambda _current_user: time_element,
        "clusterhub_length": lambda _current_user: length_words,
        "clusterhub_static": address(f"{site.hub.prefix}hub/"),
        "clusterhub_languages": choices(languages),
        "clusterhub_face": face_of(site),
    },
)
