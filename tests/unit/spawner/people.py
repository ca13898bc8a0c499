"""Whose sessions the tests start."""

from clusterhub.privileged.broker import Account

ALICE = Account(  # noqa: S604 - "shell" is the account's
    name="alice",
    uid=1001,
    gid=1001,
    home="/home/alice",
    shell="/bin/bash",
    groups=("alice", "gpu-users"),
    home_exists=True,
    shell_allowed=True,
    allowed=True,
)
