"""How the benchmarks read what they measure with."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"

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
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
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
