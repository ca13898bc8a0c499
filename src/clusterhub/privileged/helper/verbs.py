"""What each verb does, once its request has been checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from clusterhub.privileged.helper.accounts import (
    Caller,
    groups_of,
    is_allowed,
    is_shell_allowed,
    permitted_account,
)
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.person import Actor, run_program
from clusterhub.privileged.helper.refusal import Refused

# What one verb alone needs is imported there: an archive's modules are compiled at every start.


def carry_out(
    verb: str, fields: dict[str, Any], configuration: Configuration, caller: Caller
) -> dict[str, Any]:
    """Do what a checked request asks, and return the reply."""
    if verb == "authenticate":
        from clusterhub.privileged.helper.pam import authenticate

        return authenticate(fields, configuration, caller)
    account = permitted_account(fields["person"], configuration, caller)
    actor = Actor(account, configuration, not caller.acts_as_itself(configuration))
    if verb == "account":
        return _describe(actor)
    if verb in ("submit", "cancel", "signal"):
        return _run(verb, fields, actor, caller)
    return _look(verb, fields, actor, caller)


def _describe(actor: Actor) -> dict[str, Any]:
    account = actor.account
    return {
        "name": account.pw_name,
        "uid": account.pw_uid,
        "gid": account.pw_gid,
        "home": account.pw_dir,
        "shell": account.pw_shell,
        "groups": groups_of(account),
        # As the person: on a file system that root may not enter, root sees no home.
        "home_exists": actor.call(lambda: os.path.isdir(account.pw_dir)),
        "shell_allowed": is_shell_allowed(account.pw_shell),
        "allowed": is_allowed(account, actor.configuration),
    }


def _run(verb: str, fields: dict[str, Any], actor: Actor, caller: Caller) -> dict[str, Any]:
    if verb == "submit":
        # Somebody who was taken off the list starts nothing, but what they have can be looked at and ended.
        if not is_allowed(actor.account, actor.configuration):
            what = "this account is not allowed to have sessions"
            raise Refused(what, actor.account.pw_name, "ask the operators")
        from clusterhub.privileged.helper.files import (
            ensure_person_directory,
            in_person_directory,
            write_ticket,
        )

        ensure_person_directory(actor, caller)
        if fields["ticket"]:
            in_person_directory(actor, caller, lambda directory: write_ticket(directory, **fields["ticket"]))
    return run_program(actor, fields["argv"], fields.get("stdin", ""))


def _look(verb: str, fields: dict[str, Any], actor: Actor, caller: Caller) -> dict[str, Any]:
    """Whatever has to do with the files of sessions that were."""
    from clusterhub.privileged.helper.files import in_person_directory, list_logs, remove_file, tail

    def look(work: Callable[[int], Any], nothing: Any) -> Any:
        try:
            return in_person_directory(actor, caller, work)
        except Refused as error:
            if error.kind != "missing":
                raise
            return nothing

    if verb == "list-logs":
        return {"logs": look(list_logs, [])}
    if verb == "read-log":
        text = look(lambda directory: tail(directory, fields["name"], fields["bytes"]), None)
        return {"text": text or "", "missing": text is None}
    if verb == "remove-ticket":
        look(lambda directory: remove_file(directory, fields["name"]), None)
        return {}
    raise Refused("there is no such verb", verb)
