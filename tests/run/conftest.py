"""A private folder for sockets and one for the kernel's work."""

import pytest


@pytest.fixture
def runtime():
    from svclib.run.kernels import private_folder

    with private_folder() as folder:
        yield folder


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder
