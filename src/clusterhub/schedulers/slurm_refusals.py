"""What sbatch's refusals mean: Slurm's own sentence, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clusterhub.languages.text import _, joined

# Parts of the messages in Slurm's src/common/slurm_errno.c (22.05 to 26.05), what of a request they speak of,
# and what helps; the first that fits counts.
_ASSOCIATIONS = _("`sacctmgr show assoc user=$USER format=account,partition,qos` lists yours.")
_PARTITION = _("`sinfo` lists the partitions. The profile has to name one of them: tell the operator.")
_PARTITION_AWAY = _("Wait until the partition is back, or choose another profile.")
_RESERVATION = _("`scontrol show reservation` lists those that there are. Choose one of them or none.")
_SHORTER = _("Ask for a shorter time.")
_LESS = _("Ask for fewer cores, less memory or fewer GPUs, or choose another partition.")
_GPUS = _("No node of this partition has such GPUs. Choose another type or another profile.")
_UNKNOWN_USER = _("The cluster's controller does not know your account. Tell the operator.")
_POLICY = _("Your account or QOS allows no more at once. Stop one of your jobs, or ask for less.")
_DIRECTIVES = _(
    "This version of Slurm does not take an option of the profile's directives. Tell the operator."
)
_REMEDIES: tuple[tuple[str, str, str], ...] = (
    (
        "account or account/partition",
        "account",
        joined([_("Choose an account that may use this partition."), _ASSOCIATIONS]),
    ),
    (
        "invalid account",
        "account",
        joined([_("Choose an account of yours."), _ASSOCIATIONS]),
    ),
    (
        "invalid qos",
        "qos",
        joined([_("Choose a QOS that your account may use."), _ASSOCIATIONS]),
    ),
    ("accounting/qos policy", "", _POLICY),
    ("invalid partition", "partition", _PARTITION),
    ("partition is down", "partition", _PARTITION_AWAY),
    ("required partition not available", "partition", _PARTITION_AWAY),
    (
        "user's group not permitted",
        "partition",
        _("Choose a profile whose partition is open to your groups."),
    ),
    ("time limit", "time", _SHORTER),
    ("--time", "time", _SHORTER),
    (
        "access denied to requested reservation",
        "reservation",
        _("Ask the reservation's owner to add you, or choose none."),
    ),
    ("reservation", "reservation", _RESERVATION),
    (
        "feature specification",
        "constraint",
        _("No node has the features of the profile's constraint. Tell the operator."),
    ),
    ("memory specification", "memory", _("Ask for less memory.")),
    ("node configuration is not available", "", _LESS),
    ("node count specification", "nodes", _LESS),
    ("more processors requested than permitted", "cpus", _("Ask for fewer cores.")),
    ("generic resource", "gpus", _GPUS),
    ("gres", "gpus", _GPUS),
    (
        "license",
        "",
        _("This cluster does not have the licence that the profile asks for. Tell the operator."),
    ),
    ("--nice", "", _("Only operators may raise a priority: the profile's nice must not be negative.")),
    ("unrecognized option", "", _DIRECTIVES),
    ("invalid user id", "", _UNKNOWN_USER),
    ("user not found", "", _UNKNOWN_USER),
)

_UNREACHED = (
    # Only a connection that never came about is certain: the words for send, receive and shutdown failures
    # differ.
    "unable to contact slurm controller (connect failure)",
    "unable to establish controller machine",
    "unable to establish control machine",
    "could not establish a configuration source",
)
_UNCLEAR = (
    "socket timed out",
    "unable to contact slurm controller",
    "zero bytes were transmitted",
    "communication",
    "connection timed out",
    "connection reset",
    "broken pipe",
    "message receive failure",
    "message send failure",
    "unexpected message received",
    "transport endpoint",
    "incomplete",
)
_PREFIX = re.compile(r"^(?:sbatch|scancel|squeue|sacct): (?:error|fatal): ")
_FAILED = ("Batch job submission failed: ", "allocation failure: ")
"""The latter is what sbatch says with --test-only."""


def scheduler_sentence(stderr: str) -> str:
    """Slurm's own words for a failure: all its error lines in one sentence, the decisive one first."""
    lines = [_PREFIX.sub("", line.strip()) for line in stderr.splitlines() if line.strip()]
    decisive = [line.partition(": ")[2] for line in lines if line.startswith(_FAILED)]
    others = [line for line in lines if not line.startswith((*_FAILED, 'Try "'))]
    return "; ".join(dict.fromkeys([*decisive, *others]))


def was_unreached(stderr: str) -> bool:
    """True where the controller certainly never saw the request."""
    return _contains(stderr, _UNREACHED)


def is_unclear(stderr: str) -> bool:
    """True where the controller may have taken the request although the command failed."""
    return _contains(stderr, _UNCLEAR)


def remedy(sentence: str) -> str:
    """What to do about a refusal; empty where its words are not known."""
    return next((advice for _, advice in _about(sentence)), "")


def field(sentence: str) -> str:
    """What of the request a refusal speaks of; see `SubmitRefused`."""
    return next((name for name, _ in _about(sentence)), "")


def is_too_much(sentence: str) -> bool:
    """Whether a smaller request may do."""
    return remedy(sentence) in (_LESS, _POLICY)


def _about(sentence: str) -> Iterator[tuple[str, str]]:
    lowered = sentence.lower()
    return ((name, advice) for words, name, advice in _REMEDIES if words in lowered)


def _contains(text: str, words: tuple[str, ...]) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in words)
