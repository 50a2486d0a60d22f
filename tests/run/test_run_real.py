"""The project's own notebooks: made in parallel in forked kernels and one by one in cold ones, they are the same."""

import pytest
from toys import HERE

from svclib.prepared import prepare
from svclib.run.batch import run_batch
from svclib.run.manifest import Manifest
from svclib.run.verify import verify_period

PARAMS = HERE.parents[1] / "params"


@pytest.mark.slow
def test_forked_and_parallel_is_cold_and_serial_byte_by_byte(tmp_path, monkeypatch):
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "this source")
    monkeypatch.setattr("svclib.run.verify.digest_source", lambda: "this source")
    out = tmp_path / "reports"
    result = run_batch(PARAMS, prepare=prepare, departments=["D06"], out=out, jobs=2)
    assert result.exit_status == 0
    period = result.index.parent
    files = [name for entry in Manifest.load(out, period.name).entries.values() for name in entry["files"]]
    assert len(files) == len(set(files)), "no two notebooks write the same file"
    monkeypatch.setenv("SVCLIB_KERNELS", "cold")
    assert verify_period(period, jobs=1) == []
    assert {path.suffix for path in (period / "D06").iterdir()} == {"", ".html", ".ipynb", ".json"}
