"""What each verb does, once its request has been checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from clusterhub.privileged.helper import accounts
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.options import ESTIMATE_ENVIRONMENT
from clusterhub.privileged.helper.person import Actor, run_program
from clusterhub.privileged.helper.refusal import Refused

NO_SCRIPT = "#!/bin/sh\n"
"""What sbatch reads where nothing is to run."""

# What not every verb needs is imported inside: an archive's modules are compiled at every start.


def carry_out(
    verb: str, fields: dict[str, Any], configuration: Configuration, caller: accounts.Caller, deadline: float
) -> dict[str, Any]:
    """Do what a checked request asks by the deadline (`time.monotonic`), and return the reply."""
    if verb == "authenticate":
        from clusterhub.privileged.helper.pam import authenticate

        return authenticate(fields, configuration, caller, deadline)
    account = accounts.permitted_account(fields["person"], configuration, caller)
    actor = Actor(account, configuration, caller, deadline)
    if verb == "account":
        return _describe(actor)
    if verb == "disabled":
        from clusterhub.privileged.helper.shadow import why_disabled

        return {"reason": why_disabled(account, configuration)}
    if verb in ("submit", "estimate"):
        _check_allowed(actor)
    if verb == "estimate":
        return run_program(actor, fields["argv"], NO_SCRIPT, ESTIMATE_ENVIRONMENT)
    if verb == "submit":
        _prepare(fields["ticket"], actor)
    if verb in ("submit", "cancel", "signal"):
        return run_program(actor, fields["argv"], fields.get("stdin", ""))
    return _look(verb, fields, actor)


def _describe(actor: Actor) -> dict[str, Any]:
    account = actor.account
    return {
        "name": account.pw_name,
        "uid": account.pw_uid,
        "gid": account.pw_gid,
        "home": account.pw_dir,
        "shell": account.pw_shell,
        "groups": accounts.groups_of(account),
        # As the person: on a file system that root may not enter, root sees no home.
        "home_exists": actor.call(lambda: os.path.isdir(account.pw_dir)),
        "shell_allowed": accounts.is_shell_allowed(account.pw_shell),
        "allowed": accounts.is_allowed(account, actor.configuration),
    }


def _check_allowed(actor: Actor) -> None:
    # Somebody who was taken off the list starts nothing, but what they have can be looked at and ended.
    if not accounts.is_allowed(actor.account, actor.configuration):
        what = "this account is not allowed to have sessions"
        raise Refused(what, actor.account.pw_name, "ask the operators")


def _prepare(ticket: dict[str, str] | None, actor: Actor) -> None:
    from clusterhub.privileged.helper import files

    files.ensure_person_directory(actor)
    if ticket:
        files.in_person_directory(actor, lambda directory: files.write_ticket(directory, **ticket))


def _look(verb: str, fields: dict[str, Any], actor: Actor) -> dict[str, Any]:
    if verb == "look-at-environment":
        from clusterhub.privileged.helper.environments import look_at

        return dict(actor.call(lambda: look_at(fields["path"])))
    from clusterhub.privileged.helper import files

    def look(work: Callable[[int], Any], nothing: Any) -> Any:
        try:
            return files.in_person_directory(actor, work)
        except Refused as error:
            if error.kind != "missing":
                raise
            return nothing

    if verb == "list-logs":
        return {"logs": look(files.list_logs, [])}
    if verb == "remove-ticket":
        look(lambda directory: files.remove_file(directory, fields["name"]), None)
        return {}
    text = look(lambda directory: files.tail(directory, fields["name"], fields["bytes"]), None)
    return {"text": text or "", "missing": text is None}
