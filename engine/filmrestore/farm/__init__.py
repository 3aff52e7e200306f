"""Shots over many machines: job bundles for render farms, and a dask cluster for studios that have none."""
