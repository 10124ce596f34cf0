# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A WSGI application served on a free port of loopback, in a thread."""

from __future__ import annotations

import select
import threading
import typing as t

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

HOST = "127.0.0.1"


_LONGEST_HANG = 120.0


class DroppedConnection(ConnectionError):
    """Raised by an application to close the connection without an answer.

    hang: not before the caller has closed it. leave: and to refuse all further ones.
    """

    def __init__(self, hang: bool = False, leave: bool = False) -> None:
        super().__init__()
        self.hang = hang
        self.leave = leave


class Handler(MotoRequestHandler):
    """Moto's handler (it keeps S3's header names), silent, and able to hang up."""

    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: t.Any) -> None:
        """Requests are counted by the journal, not printed."""

    def connection_dropped(self, error: BaseException, environ: t.Any = None) -> None:
        self.close_connection = True
        if not isinstance(error, DroppedConnection):
            return
        if error.hang:
            select.select([self.connection], [], [], _LONGEST_HANG)
        if error.leave:  # before the caller sees anything, so that it finds the door closed
            t.cast("Listener", self.server).stop()


class Listener(ThreadedWSGIServer):
    """The socket of a server, and the thread that answers on it."""

    def __init__(self, port: int, application: t.Callable[..., t.Any]) -> None:
        super().__init__(HOST, port, application, Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port.

        The thread closes the socket when it ends. That is waited for: to close a socket that
        another thread is closing does nothing and returns at once, while the port still accepts.
        """
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()


class HttpServer:
    """Binds when made, so that the URL is known; answers between ``start`` and ``stop``."""

    def __init__(self, application: t.Callable[..., t.Any]) -> None:
        self.application = application
        self.listener = Listener(0, application)
        self.port = self.listener.server_port
        self.url = f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        self.listener.start()

    def come_back(self) -> None:
        """Answer again at the same address, where an application has left."""
        if self.listener.socket.fileno() < 0:
            self.listener = Listener(self.port, self.application)
            self.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self.listener.stop()
