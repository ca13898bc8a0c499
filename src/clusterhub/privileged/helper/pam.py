"""The login: PAM is asked through the C library, see pam_start(3); then come the operator's rules."""

from __future__ import annotations

import ctypes as c
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from clusterhub.privileged.helper.accounts import Caller, find_account, is_allowed, is_system_account
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.person import in_child
from clusterhub.privileged.helper.refusal import Refused
from clusterhub.privileged.helper.shadow import has_expired

# By PAM's code: what it means of the password, and of the account.
_REASONS = {
    6: ("locked", "not-allowed"),  # PAM_PERM_DENIED
    7: ("wrong-password", "not-allowed"),  # PAM_AUTH_ERR
    8: ("wrong-password", "unavailable"),  # PAM_CRED_INSUFFICIENT
    10: ("wrong-password", "not-allowed"),  # PAM_USER_UNKNOWN: nobody is told which of the two it was
    11: ("locked", "locked"),  # PAM_MAXTRIES
    12: ("expired-password", "expired-password"),  # PAM_NEW_AUTHTOK_REQD
    13: ("expired-account", "expired-account"),  # PAM_ACCT_EXPIRED
}


# Questions that are not for the password, also where it stands in them: "One-time password (OATH) for",
# "Password & verification code:", "Duo passcode".
_FOR_A_CODE = re.compile(r"one.?time|otp|oath|code|token|verif|factor|challenge|\bpin\b", re.IGNORECASE)


class Answers:
    """What the person has said: the password for the first hidden question that is not for a code, then the
    other answers in their order."""

    def __init__(self, password: str, further: Sequence[str]) -> None:
        self._password: str | None = password
        self._further = list(further)

    def to(self, question: str, hidden: bool) -> str | None:
        """The answer to a question, each used once; None where there is none."""
        if hidden and self._password is not None and not _FOR_A_CODE.search(question):
            answer, self._password = self._password, None
            return answer
        return self._further.pop(0) if self._further else None


def ask_pam(service: str, person: str, answers: Answers, address: str) -> dict[str, Any]:
    """Whether PAM lets the person in: "reason" is "" or a word, "code" PAM's, "messages" what it said.

    "questions" has the one that could not be answered. See pam_conv(3) for how it asks and is answered.
    """

    class Message(c.Structure):
        _fields_ = (("style", c.c_int), ("text", c.c_char_p))

    class Response(c.Structure):
        _fields_ = (("text", c.c_void_p), ("code", c.c_int))

    converse_type = c.CFUNCTYPE(
        c.c_int, c.c_int, c.POINTER(c.POINTER(Message)), c.POINTER(c.POINTER(Response)), c.c_void_p
    )

    class Conversation(c.Structure):
        _fields_ = (("converse", converse_type), ("data", c.c_void_p))

    pam, libc = c.CDLL("libpam.so.0"), c.CDLL(None)
    libc.calloc.restype, libc.calloc.argtypes = c.c_void_p, [c.c_size_t, c.c_size_t]
    libc.strdup.restype, libc.strdup.argtypes = c.c_void_p, [c.c_char_p]
    pam.pam_start.argtypes = [c.c_char_p, c.c_char_p, c.POINTER(Conversation), c.POINTER(c.c_void_p)]
    pam.pam_set_item.argtypes = [c.c_void_p, c.c_int, c.c_char_p]
    for function in (pam.pam_authenticate, pam.pam_acct_mgmt, pam.pam_end):
        function.argtypes = [c.c_void_p, c.c_int]
    said, answered, unanswered = list[str](), list[bool](), list[dict[str, Any]]()

    @converse_type  # type: ignore[untyped-decorator, unused-ignore]
    def converse(count: int, messages: Any, responses: Any, _: Any) -> int:
        # PAM frees the answers, so they must come from the C library's own allocator.
        replies = c.cast(libc.calloc(count, c.sizeof(Response)), c.POINTER(Response))
        for place in range(count):
            message = messages[place].contents
            text = (message.text or b"").decode(errors="replace")[:512]
            if message.style in (3, 4):  # PAM_ERROR_MSG, PAM_TEXT_INFO
                said.append(text)
                replies[place].text = libc.strdup(b"")
                continue
            hidden = message.style == 1  # PAM_PROMPT_ECHO_OFF; 2 is PAM_PROMPT_ECHO_ON
            answer = answers.to(text, hidden) if message.style in (1, 2) else None
            if answer is None:
                unanswered.append({"text": text, "hidden": hidden})
                return 19  # PAM_CONV_ERR; the few bytes stay until this process ends, right away
            answered.append(hidden)
            replies[place].text = libc.strdup(answer.encode())
        responses[0] = replies
        return 0

    conversation, handle = Conversation(converse, None), c.c_void_p()
    code = pam.pam_start(service.encode(), person.encode(), c.byref(conversation), c.byref(handle))
    if code:
        return {"reason": "unavailable", "code": code, "messages": [], "questions": []}
    pam.pam_set_item(handle, 3, b"clusterhub")  # PAM_TTY
    if address:
        pam.pam_set_item(handle, 4, address.encode())  # PAM_RHOST
    reason = ""
    code = pam.pam_authenticate(handle, 1)  # PAM_DISALLOW_NULL_AUTHTOK: nobody without a password gets in
    if code:
        reason = "more-questions" if unanswered else _reason(code, 0)
    elif not any(answered):
        reason = "unavailable"  # a service that lets root in unasked (pam_rootok) has proved nothing
    else:
        code = pam.pam_acct_mgmt(handle, 1)
        reason = _reason(code, 1) if code else ""
        reason = "expired-account" if reason == "not-allowed" and has_expired(person) else reason
    pam.pam_end(handle, code)
    return {"reason": reason, "code": code, "messages": said[:8], "questions": unanswered[:1]}


def _reason(code: int, of: int) -> str:
    return _REASONS.get(code, ("unavailable", "unavailable"))[of]


def authenticate(
    fields: Mapping[str, Any], configuration: Configuration, caller: Caller, deadline: float
) -> dict[str, Any]:
    """Whether this is the person's password and they may come in now.

    PAM is asked for every name, so that neither answer nor time tells which accounts exist; rules of ours
    come after it. For system accounts it is asked with a password that cannot be right, as sshd does, so
    that nobody can guess root's here.
    """
    person = fields["person"]
    account = find_account(person)
    itself = caller.acts_as_itself(configuration)
    system = account is not None and not itself and is_system_account(account, configuration)
    if itself and (account is None or account.pw_uid != caller.uid):
        raise Refused("without root, the helper acts for its own account only", person)
    password, further = fields["password"], fields["answers"]
    if system:
        password, *further = (os.urandom(24).hex() for _ in (password, *further))
    answers = Answers(password, further)
    question = (configuration.pam_service, person, answers, fields["address"])
    answer = in_child(lambda: ask_pam(*question), deadline)
    reason = answer["reason"]
    if not reason:
        if account is None:
            reason = "unknown-account"
        elif system:
            reason = "system-account"
        elif configuration.only_person not in (None, person) or not is_allowed(account, configuration):
            reason = "not-allowed"
    code = "wrong-password" if reason == "wrong-password" else f"pam-{answer['code']}"
    told = {key: answer[key] for key in ("messages", "questions")}
    return {"ok": not reason, "reason": reason, "code": code, **told}
