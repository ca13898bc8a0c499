"""What became of a session is mended by the one change that helps, where the person may make it.

Each case fails where its line in `mending._OUTCOMES`, `_REFUSALS` or `_candidates` is taken out, or the look
at the advice that an explanation gives. Without what the parser accepts, a button offers what is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.site.small_sites import site_with

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.model import CommandResult, Job, JobState, Outcome, SubmitRefused, SubmitUnreached
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.site.schema import Site
from clusterhub.spawner.explanations import explain_ending
from clusterhub.spawner.mending import Mend, Remedy, mend, remedy_of_ending, remedy_of_failure
from clusterhub.spawner.options import Choice, ChoiceRefused, parse_choice
from clusterhub.spawner.patience import WaitedTooLong

PROFILES = """
[[profile]]
name = "small"
title = "Small"
partition = ["short", "long"]
cpus = { default = 1, max = 8 }
memory = { default = "4 GiB", min = "1 GiB", max = "12 GiB" }
time = { default = "1h", min = "10min", max = "8h" }

[[profile]]
name = "gpu"
title = "One GPU"
partition = "gpu"
memory = { default = "64 GiB", max = "256 GiB" }
gpus = { default = 1, max = 4 }
time = { default = "1h", max = "2d" }

[[profile]]
name = "large"
title = "Large memory"
partition = "bigmem"
cpus = { default = 1, max = 2 }
memory = { default = "32 GiB", min = "8 GiB", max = "512 GiB" }
time = { default = "1h", max = "1d" }
interface = "lab"

[[profile]]
name = "wide"
title = "Wide"
partition = "long"
account = "physics"
cpus = { default = 1, max = 64 }
memory = { default = "4 GiB", max = "12 GiB" }
time = { default = "1h", max = "8h" }

[[profile]]
name = "per-core"
title = "Per core"
partition = "other"
memory = { default = "2 GiB", max = "900 GiB", per = "cpu" }
time = "1h"
"""


@pytest.fixture
def site() -> Site:
    return site_with(PROFILES)


Mended = Callable[..., Mend | None]


@pytest.fixture
def mended(site: Site) -> Mended:
    """What mends this choice; ``refuses`` says what the cluster would not take."""

    def what_mends(
        remedy: Remedy,
        refuses: Callable[[Mapping[str, Any]], bool] = lambda _: False,
        may: tuple[str, ...] = ("small", "gpu", "large", "wide", "per-core"),
        **chosen: str | int,
    ) -> Mend | None:
        def accepts(options: Mapping[str, Any]) -> Choice | None:
            try:
                return None if refuses(options) else parse_choice(dict(options), site, "alice", ())
            except ChoiceRefused:
                return None

        before = parse_choice({"profile": "small", **chosen}, site, "alice", ())
        return mend(remedy, before, [site.profile_named(name) for name in may], accepts)

    return what_mends


def says(found: Mend | None, sentence: str, **chosen: object) -> None:
    assert found is not None
    assert found.sentence == sentence
    options = found.choice.as_options()
    assert {key: options.get(key) for key in chosen} == chosen


def test_too_little_memory_is_mended_with_twice_as_much(mended: Mended) -> None:
    says(
        mended(Remedy.MORE_MEMORY, cpus=3),
        "Start again with 8 GiB memory instead of 4 GiB",
        profile="small",
        memory=8 * 2**30,
        cpus=3,
    )


def test_it_is_never_more_than_the_profile_gives(mended: Mended) -> None:
    found = mended(Remedy.MORE_MEMORY, memory="8 GiB")
    says(found, "Start again with 12 GiB memory instead of 8 GiB", memory=12 * 2**30)


def test_beyond_that_another_profile_gives_more_but_no_gpu_that_nobody_asked_for(mended: Mended) -> None:
    says(
        mended(Remedy.MORE_MEMORY, memory="12 GiB", cpus=4, interface="terminal"),
        "Start again as “Large memory”, with 2 cores instead of 4, 24 GiB memory instead of 12 GiB",
        profile="large",
        memory=24 * 2**30,
        cpus=2,
        interface="lab",
    )
    assert mended(Remedy.MORE_MEMORY, memory="12 GiB", may=("small", "gpu", "wide", "per-core")) is None


def test_where_the_cluster_does_not_take_a_whole_step_a_smaller_one_is_offered(mended: Mended) -> None:
    found = mended(Remedy.MORE_MEMORY, lambda options: options["memory"] > 7 * 2**30)
    says(found, "Start again with 6 GiB memory instead of 4 GiB")


def test_a_time_limit_is_mended_with_more_time(mended: Mended) -> None:
    says(
        mended(Remedy.MORE_TIME),
        "Start again with a time limit of 2h instead of 1h",
        time=7200,
    )
    found = mended(Remedy.MORE_TIME, time="8h")
    says(
        found,
        "Start again as “Large memory”, with 8 GiB memory instead of 4 GiB, "
        "a time limit of 16h instead of 8h",
    )


def test_less_is_asked_for_where_that_is_the_mend(mended: Mended) -> None:
    says(mended(Remedy.LESS_TIME), "Start again with a time limit of 30min instead of 1h")
    says(mended(Remedy.LESS_MEMORY), "Start again with 2 GiB memory instead of 4 GiB")
    says(mended(Remedy.FEWER_CPUS, cpus=2), "Start again with one core instead of 2")
    says(
        mended(Remedy.LESS, cpus=8),
        "Start again with 4 cores instead of 8, 2 GiB memory instead of 4 GiB",
    )
    assert mended(Remedy.LESS_TIME, time="10min") is None, "less cannot be had"
    assert mended(Remedy.FEWER_CPUS) is None


def test_gpus_are_made_fewer_and_never_none(mended: Mended) -> None:
    found = mended(Remedy.LESS, profile="gpu", gpus=4, memory="64 GiB")
    assert found is not None
    assert found.choice.gpus == 2
    assert "2 GPUs instead of 4" in found.sentence


def test_a_partition_that_does_not_take_it_is_left_for_another(mended: Mended) -> None:
    says(mended(Remedy.ELSEWHERE), "Start again in partition short", partition="short")
    says(
        mended(Remedy.ELSEWHERE, partition="short"),
        "Start again with what the profile presets",
        partition=None,
    )
    only_profiles = lambda options: options["profile"] == "small"  # noqa: E731 - as short as it is clear
    says(
        mended(Remedy.ELSEWHERE, only_profiles, cpus=2),
        "Start again as “Wide”",
        profile="wide",
        cpus=2,
        memory=4 * 2**30,
    )
    assert mended(Remedy.ELSEWHERE, only_profiles, may=("small", "gpu")) is None
    assert mended(Remedy.ELSEWHERE, lambda _: True) is None


def test_a_profile_that_is_gone_or_not_for_the_person_any_more_offers_nothing(mended: Mended) -> None:
    assert mended(Remedy.MORE_MEMORY, may=("large",)) is None


ENDED = Job("17", JobState.ENDED)


@pytest.mark.parametrize(
    ("job", "log", "remedy"),
    [
        (replace(ENDED, outcome=Outcome.OUT_OF_MEMORY), "", Remedy.MORE_MEMORY),
        (replace(ENDED, outcome=Outcome.FAILED, exit_code=1), "MemoryError", Remedy.MORE_MEMORY),
        (replace(ENDED, outcome=Outcome.FAILED, exit_code=137), "", Remedy.MORE_MEMORY),
        (replace(ENDED, outcome=Outcome.FAILED, signal=9), "", Remedy.MORE_MEMORY),
        (replace(ENDED, outcome=Outcome.TIME_LIMIT), "", Remedy.MORE_TIME),
        (replace(ENDED, outcome=Outcome.DEADLINE), "", Remedy.LESS_TIME),
        (replace(ENDED, outcome=Outcome.PREEMPTED), "", Remedy.ELSEWHERE),
        (replace(ENDED, outcome=Outcome.NODE_FAILED), "", None),
        (replace(ENDED, outcome=Outcome.CANCELLED), "", None),
        (replace(ENDED, outcome=Outcome.CANCELLED, signal=9), "", None),
        (replace(ENDED, outcome=Outcome.NODE_FAILED, exit_code=137), "", None),
        (replace(ENDED, outcome=Outcome.FAILED, exit_code=1), "Disk quota exceeded", None),
        (replace(ENDED, outcome=Outcome.COMPLETED, exit_code=0), "", None),
    ],
)
def test_each_end_has_its_remedy(job: Job, log: str, remedy: Remedy | None) -> None:
    assert remedy_of_ending(job, explain_ending(job, log)) is remedy


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("Requested time limit is invalid (missing or exceeds some limit)", Remedy.LESS_TIME),
        ("Memory specification can not be satisfied", Remedy.LESS_MEMORY),
        ("More processors requested than permitted", Remedy.FEWER_CPUS),
        ("Requested node configuration is not available", Remedy.LESS),
        (
            "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
            Remedy.LESS,
        ),
        ("invalid partition specified: nowhere", Remedy.ELSEWHERE),
        ("Requested partition configuration not available now", None),
        ("Partition is down", Remedy.ELSEWHERE),
        ("User's group not permitted to use this partition", Remedy.ELSEWHERE),
        ("Invalid account or account/partition combination specified", Remedy.ELSEWHERE),
        ("Invalid qos specification", Remedy.ELSEWHERE),
        ("Invalid generic resource (gres) specification", Remedy.ELSEWHERE),
        ("Requested reservation is invalid", Remedy.ELSEWHERE),
        ("Invalid feature specification", Remedy.ELSEWHERE),
        ("Invalid license specification", None),
        ("a plugin of the site says no", None),
    ],
)
def test_each_refusal_of_slurm_s_has_its_remedy(said: str, remedy: Remedy | None) -> None:
    answer = CommandResult(1, "", f"sbatch: error: Batch job submission failed: {said}\n")
    with pytest.raises(SubmitRefused) as refused:
        SlurmScheduler().parse_submission(answer)
    assert remedy_of_failure(refused.value) is remedy


def test_a_wait_that_was_too_long_is_mended_with_less_and_a_scheduler_that_is_away_with_nothing() -> None:
    assert remedy_of_failure(WaitedTooLong("It waited for a day.")) is Remedy.LESS
    assert remedy_of_failure(SubmitUnreached("It is away.")) is None
    assert remedy_of_failure(ClusterhubError("Something else.")) is None
