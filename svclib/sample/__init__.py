"""A made-up service organisation with planted facts: to learn from, to show, and to test every answer against."""

from __future__ import annotations

from svclib.sample.write import ensure_sample, write_sample

__all__ = ["ensure_sample", "write_sample"]
