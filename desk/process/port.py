"""Find out before serving whether the receiver can listen where it was told to.

The server that listens says it in ten lines and after five seconds; this says what is wrong and what to do.
"""

from __future__ import annotations

import errno
import os
import socket

_HOSTS = (
    "use 127.0.0.1 for this machine alone, or 0.0.0.0 for all of its addresses (--host or HOST)."
)


class CannotListen(Exception):
    """The address cannot be listened at; the text says why and what to do."""


def check_port(host: str, port: int) -> None:
    """Listen at an address for a moment. Raises `CannotListen`."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            if os.name == "posix":  # as the server does; on Windows it would share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except (socket.gaierror, UnicodeError):  # the latter for a name no resolver takes
        raise CannotListen(f"The host {host} is not known here; {_HOSTS}") from None
    except OSError as error:
        raise CannotListen(_explain(error, host, port)) from None


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use: stop the other program, or choose another port with "
            f"--port {port % 65535 + 1} or PORT."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; {_HOSTS}"
    if error.errno == errno.EACCES:
        return (
            f"Port {port} needs special rights on this machine: choose one above 1023 with --port or "
            "PORT, behind a proxy that has the rights."
        )
    return f"It cannot listen at {host} port {port} ({error.strerror}): check --host and --port."
