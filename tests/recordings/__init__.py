"""Clusters of many shapes, made for as long as it takes to record what Slurm says of them."""
