"""What Slurm's accounting says of people, accounts and QOS: rows of ``sacctmgr --parsable2``.

``sacctmgr`` and not ``scontrol show assoc_mgr``: that does not say which QOS an association may use, and has
a thousand bytes for each (both seen on 22.05). What accounts hand down to people is in the rows already, but
for what holds for a group of jobs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from clusterhub.schedulers.associations import Account, Amounts, Association, Associations, Limits, Qos
from clusterhub.schedulers.slurm_quantities import MEBIBYTE, read_duration, read_size

ASSOCIATION_FIELDS = (
    "cluster,account,user,partition,parentname,qos,defaultqos,maxwall,maxtres,maxtrespernode,grptres"
)
QOS_FIELDS = "name,flags,maxwall,maxtres,maxtrespernode,grptres,maxtresperuser,maxtresperaccount"
USER_FIELDS = "user,defaultaccount"

_TRES = {"cpu": "cpus", "mem": "memory", "node": "nodes", "gres/gpu": "gpus"}


_ENFORCED = frozenset({"associations", "limits", "safe", "qos", "all"})


def are_enforced(configuration: str) -> bool:
    """Whether the cluster refuses jobs for the sake of accounting. Raises ValueError for no configuration."""
    return bool(_enforcement(configuration) & _ENFORCED)


def read_associations(configuration: str, associations: str, qos: str, users: str) -> Associations:
    """Of the answers to ``scontrol show config`` and to the three questions of `sacctmgr`.

    Raises ValueError for what is no such answer.
    """
    ours, enforced = _settings(configuration)["ClusterName"].lower(), _enforcement(configuration)
    people: dict[str, list[Association]] = defaultdict(list)
    accounts: dict[str, Account] = {}
    for cluster, account, person, partition, parent, names, default, *limits in _rows(
        associations, ASSOCIATION_FIELDS
    ):
        wall, job, node, group = limits
        if cluster.lower() != ours:
            continue
        if not person:
            accounts[account] = Account(parent, _amounts(group))
            continue
        people[person].append(
            Association(
                account,
                partition,
                frozenset(filter(None, names.split(","))),
                default,
                Limits(read_duration(wall), _amounts(job), _amounts(node), _amounts(group)),
            )
        )
    return Associations(
        MappingProxyType({person: tuple(each) for person, each in people.items()}),
        MappingProxyType({person: account for person, account in _rows(users, USER_FIELDS) if account}),
        MappingProxyType(accounts),
        MappingProxyType({row[0]: _qos(row) for row in _rows(qos, QOS_FIELDS)}),
        limits_hold=bool(enforced & {"limits", "safe", "all"}),
        qos_hold=bool(enforced & {"qos", "all"}),
    )


def _enforcement(configuration: str) -> set[str]:
    return set(_settings(configuration).get("AccountingStorageEnforce", "none").lower().split(","))


def _settings(text: str) -> Mapping[str, str]:
    """The lines ``Key   = value`` of ``scontrol show config``."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip()] = value.strip()
    if "ClusterName" not in found:
        raise ValueError("the configuration does not name the cluster")
    return found


def _rows(text: str, fields: str) -> Iterator[list[str]]:
    count = fields.count(",") + 1
    if text and not text.endswith("\n"):
        raise ValueError("the last line is incomplete")
    for line in filter(None, text.splitlines()):
        row = line.split("|")
        if len(row) != count:
            raise ValueError(f"{line[:40]!r} does not have {count} columns")
        yield row


def _qos(row: list[str]) -> Qos:
    _, flags, wall, job, node, *groups = row
    group: dict[str, int] = {}
    for each in map(_amounts, groups):
        group.update({key: min(most, group.get(key, most)) for key, most in each.items()})
    given = set(flags.lower().split(","))
    return Qos(
        Limits(read_duration(wall), _amounts(job), _amounts(node), MappingProxyType(group)),
        before_partition="overpartqos" in given,
        any_time="partitiontimelimit" in given,
        any_nodes="partitionmaxnodes" in given,
    )


def _amounts(text: str) -> Amounts:
    """Of ``cpu=16,mem=64G,gres/gpu:h200=2``; what clusterhub does not ask for is left out."""
    found: dict[str, int] = {}
    for word in filter(None, text.split(",")):
        name, _, value = word.partition("=")
        resource, colon, kind = name.partition(":")
        key = _TRES.get(resource)
        if key is None:
            continue
        # A bare number of memory is in mebibytes, as where it is set.
        size = int(value) * (MEBIBYTE if key == "memory" else 1) if value.isdigit() else read_size(value)
        if size is not None:
            found[f"{key}{colon}{kind}"] = size
    return MappingProxyType(found)
