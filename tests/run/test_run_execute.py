"""One notebook: what is no success is never called one."""

import json
import os
import stat

import pytest
from toys import KERNEL, is_running, toy

from svclib.run.execute import Limits, execute_notebook
from svclib.run.kernels import ColdProvisioner, private_folder
from svclib.run.warm import ForkedProvisioner, Zygote


@pytest.fixture(scope="module")
def zygote():
    with private_folder() as folder, Zygote.started(folder, modules=[*KERNEL, "numpy"]) as zygote:
        yield zygote


@pytest.fixture(params=["cold", "forked"])
def run(request, runtime, work):
    """Executes cells with a kernel of either kind."""

    def run(*cells, save=True, parameters=None, **limits):
        provisioner = ColdProvisioner
        if request.param == "forked":
            provisioner = ForkedProvisioner.of(request.getfixturevalue("zygote"))
        execution = execute_notebook(
            toy(*cells, save=save),
            {"out": str(work), "department": "D01", **(parameters or {})},
            runtime=runtime,
            folder=work,
            result="toy.json",
            limits=Limits(**{"cell_seconds": 20, "report_seconds": 30, **limits}),
            provisioner=provisioner,
        )
        assert execution.kernel == request.param
        assert not list(runtime.glob("k-*")), "sockets and connection files are removed"
        return execution

    return run


def test_a_good_run(run, work):
    execution = run("1 + 1")
    assert execution.failure is None
    assert json.loads((work / "toy.json").read_text()) == {"department": "D01"}
    assert execution.notebook.cells[3].outputs[0].data["text/plain"] == "2"


def test_values_arrive_as_they_were_given(run, work):
    value = 'quote " backslash \\ brace {x} percent %s newline \n emoji \N{GRINNING FACE} <b>'
    execution = run(f"assert department == {value!r}", parameters={"department": value})
    assert execution.failure is None


def test_an_error_is_told_with_cell_and_place_but_without_data(run):
    execution = run("a = 1", "names = [bytes([65, 110, 110, 97]).decode()]\nfloat(names[0])", "never = 1")
    failure = execution.failure
    assert (failure.reason, failure.cell, failure.error) == ("raised", 3, "ValueError")
    assert failure.message == "could not convert string to float: '…'"
    assert failure.lines[-1] == "float(names[0])"
    assert "Anna" not in str(failure.to_json())
    assert execution.notebook.cells[-1].execution_count is None


@pytest.mark.parametrize("status", ["", "0", "1", "'why'"])
def test_leaving_in_the_middle_is_no_success(run, status):
    failure = run(f"import sys; sys.exit({status})", "never = 1").failure
    assert (failure.reason, failure.cell) == ("exited", 2)


def test_a_result_must_be_written_and_readable(run, work):
    assert run("1", save=False).failure.reason == "no_result"
    cell = "import pathlib; pathlib.Path(out, 'toy.json').write_text('{\"value\": NaN}')"
    assert run(cell, save=False).failure.reason == "no_result"


@pytest.mark.parametrize("number", ["SIGSEGV", "SIGKILL"])
def test_a_killed_kernel_is_named(run, number):
    failure = run(f"import os, signal; os.kill(os.getpid(), signal.{number})").failure
    assert (failure.reason, failure.cell, failure.error) == ("died", 2, number)


def test_a_kernel_that_leaves_is_named(run):
    failure = run("import os; os._exit(3)").failure
    assert (failure.reason, failure.error) == ("died", "exit status 3")


def test_deadlines_of_cell_and_report(run):
    hang = "import time; time.sleep(30)"
    failure = run("1", hang, cell_seconds=0.5).failure
    assert (failure.reason, failure.cell) == ("cell_deadline", 3)
    failure = run(hang, report_seconds=2).failure
    assert failure.reason == "report_deadline"


def test_a_hang_that_ignores_signals_ends_with_its_children(run, work):
    cell = (
        "import signal, subprocess, sys, pathlib, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path('pid').write_text(str(child.pid))\n"
        "while True: time.sleep(1)"
    )
    assert run(cell, cell_seconds=1.5).failure.reason == "cell_deadline"
    assert not is_running(int((work / "pid").read_text()))


def test_a_flood_of_output_is_stopped(run):
    failure = run("for _ in range(100_000): print('x' * 1000)", output_mb=1).failure
    assert (failure.reason, failure.cell) == ("output", 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no memory limits here")
def test_memory_has_an_end(run):
    failure = run("import numpy; numpy.ones(2**31, dtype='i1').sum()", memory_mb=1500).failure
    assert (failure.reason, failure.cell) == ("memory", 2)


def test_a_thread_left_behind_does_no_harm(run):
    cell = "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()"
    execution = run(cell)
    assert execution.failure is None
    assert execution.seconds < 10


def test_unknown_parameters_start_no_kernel(runtime, work):
    execution = execute_notebook(toy(), {"typo": 1}, runtime=runtime, folder=work)
    assert execution.failure.reason == "parameters"
    assert execution.kernel == ""


def test_credentials_of_the_environment_do_not_arrive(run, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "canary-7c1")
    execution = run("import os; print(dict(os.environ))")
    assert execution.failure is None
    assert "canary-7c1" not in str(execution.notebook)


def test_sockets_are_private(runtime):
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert len(str(runtime)) < 60
