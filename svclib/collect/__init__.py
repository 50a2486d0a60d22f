"""From any source to checked, typed tables in a frozen snapshot."""

from svclib.collect.collecting import collect, find_snapshot, snapshot_root
from svclib.collect.snapshot import Snapshot, SourceQuality, late_rows, list_snapshots, open_snapshot

__all__ = [
    "Snapshot", "SourceQuality", "collect", "find_snapshot", "late_rows", "list_snapshots", "open_snapshot",
    "snapshot_root",
]  # fmt: skip
