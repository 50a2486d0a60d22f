"""Parameters are data, never code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import toy

from svclib.errors import InputRefused
from svclib.run.execute import load_papermill
from svclib.run.parameters import check_injected, check_parameters, is_json, parameter_names

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_names_of_the_parameters_cell():
    assert parameter_names(toy()) == ["department", "period", "params", "snapshot", "as_of", "out", "language"]


@pytest.mark.parametrize("name", ["x=1;print('pwned')#", "out.x", "1a", "class", "unknown", ""])
def test_only_known_identifiers_pass(name):
    with pytest.raises(InputRefused):
        check_parameters(toy(), {name: 1})


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), (1,), {1: 2}, b"x", object(), [object()]])
def test_only_plain_json_passes(value):
    assert not is_json(value)
    with pytest.raises(InputRefused):
        check_parameters(toy(), {"out": value})


def test_all_faults_at_once():
    with pytest.raises(InputRefused) as refused:
        check_parameters(toy(), {"a b": 1, "unknown": 1, "out": float("inf")})
    assert len(refused.value.problems) == 3


@given(value=JSON)
def test_whatever_is_injected_is_an_assignment_of_that_literal(value):
    load_papermill()
    from papermill.parameterize import parameterize_notebook

    notebook = parameterize_notebook(papermill_ready(), {"out": value}, kernel_name="svclib", language="python")
    check_injected(notebook, {"out": value})


def papermill_ready():
    notebook = toy()
    notebook.metadata["papermill"] = {}
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    return notebook


@pytest.mark.parametrize(
    "source", ["out = print(1)", "import os", "out = [x for x in 'a']", "out = 2", "out = 1; a = 1"]
)
def test_any_other_injected_cell_is_refused(source):
    notebook = toy("pass")
    notebook.cells[2].source = source
    notebook.cells[2].metadata["tags"] = ["injected-parameters"]
    with pytest.raises(InputRefused):
        check_injected(notebook, {"out": 1})
