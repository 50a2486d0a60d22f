"""The kernel of a report: ipykernel, without the one TCP port that it opens even where its sockets are files.

ipykernel collects what subprocesses print over a port on loopback. In a report's kernel that is a socket in the same
private folder as the others. Cold kernels start here (``python -m svclib.run.kernelapp -f FILE``), forked ones use it too.
"""

from __future__ import annotations

import os
from typing import Any

import zmq
from ipykernel import kernelapp
from ipykernel.iostream import IOPubThread
from zmq.eventloop.zmqstream import ZMQStream


class ReportKernelApp(kernelapp.IPKernelApp):
    """ipykernel's app; over ipc it opens no port at all."""

    name = "svclib-kernel"

    def init_iopub(self, context: Any) -> None:
        if self.transport != "ipc":
            super().init_iopub(context)
            return
        address = f"ipc://{self.ip}-out"

        class FileIOPubThread(IOPubThread):
            """Collects the output of subprocesses over a socket file."""

            def _setup_pipe_in(self) -> None:
                self._pipe_uuid = os.urandom(16)
                pipe_in = self.socket.context.socket(zmq.PULL)
                pipe_in.linger = 0
                pipe_in.bind(address)
                self._pipe_in = ZMQStream(pipe_in, self.io_loop)
                self._pipe_in.on_recv(self._handle_pipe_msg)

            def _setup_pipe_out(self) -> tuple[Any, Any]:
                own = zmq.Context()  # we are in a subprocess: its parent's context must not be touched
                pipe_out = own.socket(zmq.PUSH)
                pipe_out.linger = 3000
                pipe_out.connect(address)
                return own, pipe_out

        before, kernelapp.IOPubThread = kernelapp.IOPubThread, FileIOPubThread  # type: ignore[misc]
        try:
            super().init_iopub(context)
        finally:
            kernelapp.IOPubThread = before  # type: ignore[misc]


if __name__ == "__main__":
    ReportKernelApp.launch_instance()
