"""Warm kernels: a guard for each trap of forking, and the same outcome as a cold start."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points

import pytest
from toys import HERE, KERNEL, is_running, toy, wait_for, write_toy

from svclib.run.execute import Limits, execute_notebook
from svclib.run.kernels import ColdProvisioner, private_folder
from svclib.run.warm import ForkedProvisioner, SharedZygote, Zygote, ZygoteError, can_fork, install_kernelspec

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system does not fork")

FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()"
FRAME = "import pandas as pd\npd.DataFrame({'a': [1.5, 2.5]})"
ALGEBRA = (
    "import numpy as np, scipy.linalg\n"
    "a = np.random.default_rng(1).normal(size=(400, 400))\n"
    "round(float(np.abs(scipy.linalg.lu_factor(a)[0]).sum() + np.linalg.lstsq(a, a[0], rcond=None)[0].sum()), 6)"
)


@pytest.fixture(scope="module")
def zygote():
    with private_folder() as folder, Zygote.started(folder) as zygote:
        yield zygote


def run(work, runtime, provisioner, *cells, **limits):
    work.mkdir(exist_ok=True)
    execution = execute_notebook(
        toy(*cells),
        {"out": str(work), "department": "D01"},
        runtime=runtime,
        folder=work,
        result="toy.json",
        limits=Limits(**{"cell_seconds": 30, "report_seconds": 60, **limits}),
        provisioner=provisioner,
    )
    return execution


def outputs(execution):
    """Every output of every cell, without papermill's clock."""
    return [cell.get("outputs") for cell in execution.notebook.cells]


def printed(execution, cell):
    return execution.notebook.cells[cell].outputs[0].text.strip()


def test_the_stack_starts_no_thread(zygote):
    """OpenBLAS and pyarrow start threads on import unless told not to; a fork of them may hang for ever."""
    assert zygote.ready["threads"] == 1
    if sys.platform == "linux":
        assert len(os.listdir(f"/proc/{zygote.process.pid}/task")) == 1


IMPORTED = """
import json, sys
from svclib.run.warm import STACK
from svclib.run.zygote import import_stack
missing = import_stack(list(STACK))
before = set(sys.modules)
for path in sys.argv[2:]:
    space = dict.fromkeys(["department", "period", "snapshot", "as_of", "out", "language"]) | {"params": sys.argv[1]}
    for cell in json.load(open(path, encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), space)
print(json.dumps([missing, sorted(set(sys.modules) - before)]))
"""


def test_the_stack_holds_what_the_notebooks_import(tmp_path):
    """What is missing from it every report imports for itself; openpyxl alone was a tenth of a report's time."""
    from svclib.paths import NOTEBOOKS
    from svclib.prepared import prepare
    from svclib.sample import write_sample

    params = write_sample(tmp_path, months=30, seed=1)
    prepare(params)  # as the coordinator does
    names = ("kpi_analysis", "root_cause_analysis", "outcome_evaluation")
    notebooks = [str(NOTEBOOKS / f"{name}.ipynb") for name in names]
    command = [sys.executable, "-c", IMPORTED, str(params), *notebooks]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    missing, late = json.loads(done.stdout.splitlines()[-1])
    assert missing == []
    assert len(late) < 12, f"{len(late)} modules are imported by each report for itself: {late}"


def test_cold_and_forked_show_the_same(zygote, runtime, tmp_path):
    """Above all, figures: with pyplot imported before the backend is chosen they vanish without an error."""
    cells = (FIGURE, FRAME, ALGEBRA, "print('text')")
    cold = run(tmp_path / "work", runtime, ColdProvisioner, *cells)
    forked = run(tmp_path / "work", runtime, ForkedProvisioner.of(zygote), *cells)
    assert (cold.kernel, forked.kernel) == ("cold", "forked")
    assert cold.failure is None
    assert forked.failure is None
    assert outputs(cold) == outputs(forked)
    assert any("image/png" in output.get("data", {}) for output in forked.notebook.cells[3].outputs)
    assert forked.cpu_seconds < 2


def test_parallel_kernels_do_not_meet(zygote, runtime, tmp_path):
    """Eight kernels at once in one process: each answers for itself, over no TCP port, and leaves no socket."""
    cell = "import os, psutil\nprint(department, len(psutil.Process().net_connections('tcp')), os.getcwd())"

    def one(number):
        work = tmp_path / f"work{number}"
        work.mkdir()
        execution = execute_notebook(
            toy(cell),
            {"out": str(work), "department": f"D{number}"},
            runtime=runtime,
            folder=work,
            result="toy.json",
            provisioner=ForkedProvisioner.of(zygote),
        )
        assert execution.failure is None
        return printed(execution, 3)

    here = os.getcwd()
    with ThreadPoolExecutor(8) as pool:
        lines = list(pool.map(one, range(8)))
    assert lines == [f"D{number} 0 {tmp_path / f'work{number}'}" for number in range(8)]
    assert os.getcwd() == here
    assert not list(runtime.glob("k-*"))


def test_no_two_kernels_draw_the_same_numbers(zygote, runtime, tmp_path):
    cell = "import random, numpy, uuid\nprint(random.random(), numpy.random.rand(), uuid.uuid4())"
    drawn = [printed(run(tmp_path / "work", runtime, ForkedProvisioner.of(zygote), cell), 3) for _ in range(2)]
    first, second = (line.split() for line in drawn)
    assert not set(first) & set(second)


def test_nothing_of_one_report_reaches_the_next(zygote, runtime, tmp_path):
    dirty = (
        "import builtins, os, numpy\nbuiltins.left = 1; os.environ['LEFT'] = '1'; numpy.set_printoptions(precision=1)"
    )
    clean = "import builtins, os, numpy\nprint(hasattr(builtins, 'left'), 'LEFT' in os.environ, numpy.get_printoptions()['precision'])"
    run(tmp_path / "work", runtime, ForkedProvisioner.of(zygote), dirty)
    assert printed(run(tmp_path / "work", runtime, ForkedProvisioner.of(zygote), clean), 3) == "False False 8"


def test_time_zone_and_hash_seed_are_fixed(zygote, runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    cell = "import time\nprint(time.tzname[0], hash('a'))"
    told = {
        printed(run(tmp_path / "work", runtime, kind, cell), 3)
        for kind in (ColdProvisioner, ForkedProvisioner.of(zygote))
    }
    assert len(told) == 1
    assert told.pop().startswith("UTC ")


def test_threads_before_the_fork_are_refused(runtime, tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ZygoteError, match="2 threads"):
        Zygote(runtime, ["threaded"])
    execution = run(tmp_path / "work", runtime, ForkedProvisioner.of(SharedZygote(["threaded"])))
    assert (execution.kernel, execution.failure) == ("cold", None)


def test_without_a_zygote_kernels_start_cold(runtime, tmp_path, monkeypatch):
    with Zygote.started(runtime, KERNEL) as dead:
        dead.process.kill()
        dead.process.wait()
        execution = run(tmp_path / "work", runtime, ForkedProvisioner.of(dead))
        assert (execution.kernel, execution.failure) == ("cold", None)
    monkeypatch.setenv("SVCLIB_KERNELS", "cold")
    execution = run(tmp_path / "work", runtime, ForkedProvisioner.of(SharedZygote(KERNEL)))
    assert (execution.kernel, execution.failure) == ("cold", None)


def test_a_killed_zygote_takes_its_kernels_along_and_is_told_apart(runtime, tmp_path):
    """The report is not to blame: the reason is the machinery, and that is tried again."""
    shared = SharedZygote(KERNEL)
    try:
        zygote = shared.get()
        started = tmp_path / "work" / "pid"
        killer = threading.Thread(target=lambda: (wait_for(started.exists), zygote.process.kill()))
        killer.start()
        cell = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(30)"
        execution = run(tmp_path / "work", runtime, ForkedProvisioner.of(shared), cell)
        killer.join()
        assert execution.failure.reason == "infrastructure"
        wait_for(lambda: not is_running(int(started.read_text())), 5)
        again = run(tmp_path / "work", runtime, ForkedProvisioner.of(shared))
        assert (again.kernel, again.failure) == ("forked", None)
    finally:
        shared.close()


def test_the_parent_gone_everything_is_gone(tmp_path):
    script = (
        "import sys, asyncio, pathlib, time\n"
        "from svclib.run.kernels import private_folder, kernel_environment\n"
        "from svclib.run.warm import Zygote\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "zygote = Zygote(folder, ['json'])\n"
        "kernel = zygote.fork(['-f', str(folder / 'k.json')], kernel_environment(folder), str(folder))\n"
        "print(zygote.process.pid, kernel.pid, flush=True)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    with process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert all(map(is_running, pids))
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(map(is_running, pids)), 5)


def test_changed_source_is_never_forked_from(runtime, tmp_path, monkeypatch):
    """JupyterLab outlives edits. Kernels that run go on with the old source, the next one has the new."""
    shared = SharedZygote(KERNEL, follow_source=True)
    try:
        first = shared.get()
        kernel = first.fork(["-f", str(tmp_path / "k.json")], dict(os.environ), str(tmp_path))
        assert shared.get() is first
        monkeypatch.setattr("svclib.run.warm.source_stamp", lambda: "edited")
        second = shared.get()
        assert second is not first
        assert shared.get() is second
        assert kernel.poll() is None
        assert first.process.poll() is None
        kernel.kill()
        assert kernel.wait(5) == -signal.SIGKILL
        assert first.process.wait(5) == 0
    finally:
        shared.close()
    assert second.process.poll() is not None


def test_a_batch_keeps_to_the_source_it_began_with(monkeypatch):
    shared = SharedZygote(KERNEL)
    try:
        first = shared.get()
        monkeypatch.setattr("svclib.run.warm.source_stamp", lambda: "edited")
        assert shared.get() is first
    finally:
        shared.close()


@pytest.mark.parametrize("kind", ["cold", "forked"])
def test_what_subprocesses_print_arrives(zygote, runtime, tmp_path, kind):
    cell = "import os\npid = os.fork()\nif pid == 0:\n    print('from the child', flush=True); os._exit(0)\nos.waitpid(pid, 0)[1]"
    provisioner = ColdProvisioner if kind == "cold" else ForkedProvisioner.of(zygote)
    execution = run(
        tmp_path / "work",
        runtime,
        provisioner,
        "import warnings; warnings.simplefilter('ignore')",
        cell,
        "import time; time.sleep(0.3)",
    )
    assert execution.kernel == kind
    assert "from the child" in str(outputs(execution))


@pytest.fixture
def kernelspec(tmp_path, monkeypatch):
    if not entry_points(group="jupyter_client.kernel_provisioners", name="svclib-forked"):
        pytest.skip("svclib is not installed as a distribution")
    folder = install_kernelspec(tmp_path / "prefix")
    monkeypatch.setenv("JUPYTER_PATH", str(folder.parents[1]))
    monkeypatch.setattr(ForkedProvisioner, "zygotes", SharedZygote(KERNEL))
    yield folder
    ForkedProvisioner.zygotes.close()


def test_jupyterlab_can_start_it(kernelspec):
    """By the manager that JupyterLab's server uses, over its TCP ports, with restart and shutdown."""
    import asyncio

    from jupyter_client.multikernelmanager import AsyncMultiKernelManager

    async def session():
        manager = AsyncMultiKernelManager()
        kernel_id = await manager.start_kernel(kernel_name="svclib")
        kernel = manager.get_kernel(kernel_id)
        assert kernel.provisioner.kind == "forked"
        client = kernel.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        reply = await client.execute_interactive("x = 1", timeout=20)
        assert reply["content"]["status"] == "ok"
        pid = kernel.provisioner.pid
        await manager.restart_kernel(kernel_id)
        await client.wait_for_ready(timeout=30)
        assert kernel.provisioner.pid != pid
        reply = await client.execute_interactive("x", timeout=20, output_hook=lambda message: None)
        assert reply["content"]["ename"] == "NameError"
        client.stop_channels()
        await manager.shutdown_kernel(kernel_id)
        assert not is_running(pid)

    asyncio.run(session())


@pytest.mark.slow
def test_nbval_can_use_it(kernelspec, tmp_path):
    path = write_toy(tmp_path / "toy.ipynb", "import numpy\nnumpy.arange(3).sum()", save=False)
    notebook = json.loads(path.read_text())
    notebook["cells"][2] |= {
        "execution_count": 1,
        "outputs": [
            {
                "output_type": "execute_result",
                "data": {"text/plain": "np.int64(3)"},
                "metadata": {},
                "execution_count": 1,
            }
        ],
    }
    path.write_text(json.dumps(notebook))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval",
        "--nbval-kernel-name",
        "svclib",
        "-c",
        os.devnull,
        str(path),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "JUPYTER_PATH": str(kernelspec.parents[1])},
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_kernelspec_tells_where_it_forks(tmp_path):
    spec = json.loads((install_kernelspec(tmp_path) / "kernel.json").read_text())
    assert spec["metadata"]["kernel_provisioner"]["provisioner_name"] == "svclib-forked"
    assert str(tmp_path) not in json.dumps(spec)
