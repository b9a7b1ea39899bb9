"""Finds out whether the file system of a folder reports changes.

The mount table answers that, so that nothing has to be written into the user's folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNT_TABLE = Path("/proc/self/mounts")  # Linux only

# Other machines, or the host of a virtual one, change their files without an event on this one.
_SILENT = """
    9p afs ceph cifs drvfs fakeowner gfs2 glusterfs grpcfuse lustre ncpfs nfs nfs4 ocfs2 osxfs
    prl_fs smb2 smb3 smbfs v9fs vboxsf virtiofs vmhgfs
    fuse.blobfuse fuse.blobfuse2 fuse.ceph fuse.curlftpfs fuse.davfs fuse.gcsfuse fuse.glusterfs
    fuse.grpcfuse fuse.juicefs fuse.osxfs fuse.rclone fuse.s3fs fuse.sshfs fuse.vmhgfs-fuse
"""
SILENT_FILE_SYSTEMS = frozenset(_SILENT.split())


def events_arrive(folder: Path) -> bool:
    """Whether inotify, or its counterpart on other systems, sees all changes below a folder.

    A file system that is not known to be silent is taken for one that reports changes.
    """
    return filesystem_at(folder) not in SILENT_FILE_SYSTEMS


def filesystem_at(folder: Path) -> str | None:
    """Name the type of a folder's file system; None where this system has no mount table."""
    try:
        table = MOUNT_TABLE.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    return filesystem_of(os.path.realpath(folder), table)


def filesystem_of(folder: str, table: str) -> str | None:
    """Find the type of the file system that holds a folder; the later of two mounts counts.

    Args:
        folder: absolute path without symbolic links.
        table: mounts, in the form of /proc/self/mounts (see proc(5)).

    Returns:
        The type, such as `ext4`; None where no mount holds the folder.
    """
    best, found = "", None
    for line in table.splitlines():
        _, point, kind, *_ = line.split(" ")
        point = _unescape(point)
        holds = folder == point or folder.startswith(point.rstrip("/") + "/")
        if holds and len(point) >= len(best):
            best, found = point, kind
    return found


def _unescape(point: str) -> str:
    """Decode blanks and the like, which stand as a backslash and three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point)
