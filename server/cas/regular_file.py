"""Open a file that may be anything: a pipe in its place would hold a process for ever."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path


class NotRegularFileError(OSError):
    """It is there, and it is a pipe, a device, a folder or a link that is not followed."""


def open_regular(path: Path, *, follow_links: bool = True) -> io.FileIO:
    """Open an ordinary file to read.

    Raises:
        NotRegularFileError: it is something else.
        OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise NotRegularFileError(error.errno, "is no ordinary file", str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularFileError(errno.EINVAL, "is no ordinary file", str(path))
    return io.FileIO(descriptor)
