"""Root-cause analysis: generated months with planted causes, real failures, and the scorer."""
