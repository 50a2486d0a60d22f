"""The planted outcomes of the sample get their true verdict; `python -m benchmarks.outcome --only sample` takes ten seeds."""

import pytest

from benchmarks.outcome import sample_verdicts


@pytest.mark.slow
def test_planted_outcomes(tmp_path):
    """Seed 10 holds the plan without effect that comes closest to looking like one."""
    found = list(sample_verdicts(10, tmp_path))
    assert len(found) >= 7
    assert sum(said == true for _, true, said in found) >= len(found) - 1, found
    assert not [id for id, true, said in found if said == "met_attributable" != true]
