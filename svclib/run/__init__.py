"""Runs notebooks for departments and periods: kernels, plan, batch, manifest, verification."""
