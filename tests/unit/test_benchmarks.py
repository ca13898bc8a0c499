"""How the benchmarks read what they measure with."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from clusterhub.errors import ClusterhubError

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"

# sdiag 22.05.8, of a cluster on which batchspawner had started 48 sessions.
SDIAG = """\
*******************************************************
sdiag output at Mon Nov 23 07:10:23 2026 (1795417823)
Data since      Mon Nov 23 07:08:40 2026 (1795417720)
*******************************************************
Server thread count:  3

Main schedule statistics (microseconds):
\tLast cycle:   25
\tTotal cycles: 103

Remote Procedure Call statistics by message type
\tREQUEST_PARTITION_INFO                  ( 2009) count:65     ave_time:265    total_time:17266
\tREQUEST_JOB_INFO_SINGLE                 ( 2021) count:64     ave_time:510    total_time:32671
\tREQUEST_SUBMIT_BATCH_JOB                ( 4003) count:48     ave_time:2167   total_time:104037
\tMESSAGE_NODE_REGISTRATION_STATUS        ( 1002) count:2      ave_time:341    total_time:682
\tREQUEST_STATS_INFO                      ( 2035) count:2      ave_time:156    total_time:313

Remote Procedure Call statistics by user
\talice           (    1001) count:117    ave_time:757    total_time:88671
\troot            (       0) count:4      ave_time:152    total_time:610

Pending RPC statistics
\tNo pending RPCs
"""


def benchmark_module(name: str) -> ModuleType:
    """A module of the benchmarks, which are no package."""
    for directory in (BENCH, ROOT):  # as `_run.py` does
        if str(directory) not in sys.path:
            sys.path.append(str(directory))
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)  # where `dataclass` looks for what its fields' types are
    spec.loader.exec_module(module)
    return module


def test_calls_are_counted_by_type_and_neither_again_by_user_nor_those_of_nodes() -> None:
    assert benchmark_module("_sdiag").read_rpcs(SDIAG) == {
        "REQUEST_PARTITION_INFO": 65,
        "REQUEST_JOB_INFO_SINGLE": 64,
        "REQUEST_SUBMIT_BATCH_JOB": 48,
        "REQUEST_STATS_INFO": 2,
    }


def test_an_answer_without_counts_is_no_count_of_zero() -> None:
    with pytest.raises(ValueError, match="Unable to contact"):
        benchmark_module("_sdiag").read_rpcs("sdiag: error: Unable to contact slurm controller")


def test_a_storm_tells_only_of_what_was_asked_while_it_lasted() -> None:
    storm, press = benchmark_module("storm"), benchmark_module("_press")
    starts = [press.Start(100.0, 102.0), press.Start(101.0, 110.0), press.Start(101.0, None, "not ready")]
    probes = [storm.Probe(99.0, 7.0, "200"), storm.Probe(111.0, 7.0, "200")]
    probes += [storm.Probe(100.0 + each / 10, each / 1000, "200") for each in range(101)]
    told = storm.figures(starts, probes)
    assert told == {"p50_s": 5.5, "p99_s": 8.93, "hub_api_p50_s": 0.05, "hub_api_p99_s": 0.099}


def test_a_storm_in_which_the_hub_refused_an_answer_is_none() -> None:
    storm, press = benchmark_module("storm"), benchmark_module("_press")
    with pytest.raises(ClusterhubError, match="503"):
        storm.figures([press.Start(1.0, 2.0)], [storm.Probe(1.5, 0.1, "503"), storm.Probe(1.6, 0.1, "200")])
