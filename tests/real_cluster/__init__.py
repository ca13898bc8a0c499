"""A real Slurm cluster on one machine, to click on and to test against. Standard library only.

from tests.real_cluster import RealCluster
cluster = RealCluster()
cluster.up()
cluster.run("gateway", ["sbatch", "--wrap", "hostname"], user="alice")
cluster.down()
"""

from __future__ import annotations

from .cluster import RealCluster, missing_requirements

__all__ = ["RealCluster", "missing_requirements"]
