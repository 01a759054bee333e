"""A connected socket of which a whole exchange must end in time, not only each wait for the next byte.

A subscriber that sends its answer drop by drop would else hold its thread for as long as it likes.
"""

from __future__ import annotations

import io
import socket
import time
from contextlib import suppress


class Timed:
    """What `http.client` asks of a socket: to send, to be read as a file, and to be closed."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._ends_s = 0.0
        self._cut = False

    def begin(self, seconds: float) -> None:
        """What follows must end within so many seconds. Raises TimeoutError at whatever goes on longer."""
        self._ends_s = time.monotonic() + seconds

    def wait(self) -> None:
        """Let the next wait be as long as there is time left. Raises TimeoutError."""
        left = self._ends_s - time.monotonic()
        if left <= 0 or self._cut:
            raise TimeoutError
        self._socket.settimeout(left)

    def sendall(self, data: bytes) -> None:
        """Send; a part at a time, for over TLS each part has the socket's time for itself."""
        view = memoryview(data)
        while view:
            self.wait()
            view = view[self._socket.send(view[:65536]) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """The answer, to be read; also once the connection is closed, as it is where the subscriber ends it with its answer."""
        return io.BufferedReader(_Answer(self, self._socket.makefile("rb", 0)))

    def cut(self) -> None:
        """End the exchange now; from another thread."""
        self._cut = True
        with suppress(OSError):  # it has ended already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let the connection go."""
        self._socket.close()


class _Answer(io.RawIOBase):
    def __init__(self, timed: Timed, received: socket.SocketIO) -> None:
        self._timed = timed
        self._received = received

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        self._timed.wait()
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()
