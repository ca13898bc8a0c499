"""What accounting says of people, as sacctmgr prints it.

``recorded/sacctmgr-22.05.8.txt`` is what a real cluster answered to the commands of
`SlurmScheduler.associations`, with limits set by sacctmgr before. With a column read as another these fail.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clusterhub.schedulers.associations import Account, Association, Associations, Limits
from clusterhub.schedulers.budget import Budget
from clusterhub.schedulers.model import CommandResult, SchedulerError
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.schedulers.surveying import ASSOCIATIONS_AT_MOST, ASSOCIATIONS_INTERVAL, Accounting

RECORDED = (Path(__file__).parent / "recorded" / "sacctmgr-22.05.8.txt").read_text()
SLURM = SlurmScheduler(cluster="main")
MIB = 2**20


def answers(*replaced: tuple[str, str]) -> list[CommandResult]:
    """Of the configuration, associations, QOS and users, with texts replaced."""
    text = RECORDED
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    parts = (part.partition("\n")[2] for part in text.split("==")[1:])
    return [CommandResult(0, part, "") for part in parts]


@pytest.fixture
def found() -> Associations:
    return SLURM.parse_associations(answers())


def test_there_is_one_question_for_all_people() -> None:
    commands = SLURM.associations()
    assert [argv[0] for argv in commands] == ["scontrol", "sacctmgr", "sacctmgr", "sacctmgr"]
    assert not [word for argv in commands for word in argv if word.startswith("user=")]
    assert all("--readonly" in argv for argv in commands[1:])


def test_people_have_accounts_with_their_qos_and_limits(found: Associations) -> None:
    both = frozenset({"normal", "long"})
    of_bio = {"cpus": 16, "memory": 64 * 1024 * MIB}
    assert sorted(found.people["alice"], key=lambda each: (each.account, each.partition)) == [
        Association("bio", "", both, "", Limits(6 * 3600, of_bio)),
        Association("bio", "gpu", both, "", Limits(3600, {**of_bio, "nodes": 2}, {"cpus": 3})),
        Association("physics", "", frozenset({"normal", "short"}), "normal"),
    ]
    assert found.default_accounts["alice"] == "physics"
    assert found.accounts["bio"] == Account("science", {"gpus": 4, "memory": 1000 * MIB})
    assert found.accounts["science"].parent == "root"
    assert (found.limits_hold, found.qos_hold) == (True, True)


def test_qos_have_limits_of_a_job_and_of_a_persons_jobs(found: Associations) -> None:
    long = found.qos["long"]
    assert long.limits == Limits(2 * 86400, {"cpus": 6, "gpus": 1}, {}, {"cpus": 12})
    assert long.before_partition
    assert not long.any_time
    assert found.qos["short"].limits.time == 3600


def test_where_accounting_has_no_word_nothing_is_known_of_anybody() -> None:
    configuration, *others = answers(("associations,limits,qos", "none"))
    assert SLURM.parse_associations([configuration, *others]) == Associations()
    away = CommandResult(1, "", "sacctmgr: error: slurm_persist_conn_open_without_init: Connection refused")
    assert SLURM.parse_associations([configuration, away, away, away]) == Associations()


def test_limits_may_be_there_and_not_hold() -> None:
    found = SLURM.parse_associations(answers(("associations,limits,qos", "associations")))
    assert (found.limits_hold, found.qos_hold) == (False, False)


def test_people_of_other_clusters_with_the_same_accounting_do_not_count() -> None:
    assert SLURM.parse_associations(answers(("testbed|bio|alice|", "other|bio|alice|"))).people["alice"] == (
        Association("physics", "", frozenset({"normal", "short"}), "normal"),
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "slurm_load_ctl_conf error: Unable to contact slurm controller\n"), (1, "a|b\n"), (2, "normal|")],
)
def test_anything_else_is_no_answer(number: int, text: str) -> None:
    given = answers()
    given[number] = CommandResult(0, text, "")
    with pytest.raises(SchedulerError):
        SLURM.parse_associations(given)


def test_accounting_that_is_away_is_no_answer() -> None:
    given = answers()
    given[1] = CommandResult(1, "", "sacctmgr: error: Connection refused")
    with pytest.raises(SchedulerError):
        SLURM.parse_associations(given)


async def test_two_hundred_who_choose_cost_accounting_one_look_and_it_may_be_away_for_a_day() -> None:
    """Without the shared task each would ask; without `longest` nobody would be told while it is away."""
    asked: list[str] = []
    now = [1000.0]
    given = answers()

    async def ask(argv: tuple[str, ...]) -> CommandResult:
        asked.append(argv[0])
        return given[(len(asked) - 1) % 4]

    accounting = Accounting(SLURM, ask, Budget(20, 10, 0.0), lambda: now[0], lambda: 0.0)
    found = await asyncio.gather(*(accounting.associations(5.0) for _ in range(200)))
    assert asked == ["scontrol", "sacctmgr", "sacctmgr", "sacctmgr"]
    assert {id(each) for each in found} == {id(found[0])}
    now[0] += ASSOCIATIONS_INTERVAL - 1
    assert await accounting.associations(5.0) is found[0]
    assert len(asked) == 4
    given[1] = CommandResult(1, "", "sacctmgr: error: Connection refused")
    now[0] += 1
    assert await accounting.associations(5.0) is found[0]
    assert len(asked) == 8
    now[0] += ASSOCIATIONS_AT_MOST
    assert await accounting.associations(5.0) is None
