"""Errors of backup and restore.

XinglinError
 └─ BackupError            400
     ├─ Damaged            422  a part is missing, cut short or changed: nothing of it is used
     │   └─ FilesDamaged   422  files are missing or damaged; the rest is whole
     ├─ Foreign            422  a file that is none of ours, of another record, or made by a newer program
     ├─ Sealed             403  encrypted, and the key is missing or another one
     ├─ NoBackup           404  there is none, or none that reaches as far as asked
     ├─ InUse              409  the database to restore into holds something already
     ├─ UnderWay           409  another process is making a backup into the same place
     └─ Differs            500  what was restored is not what was backed up
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class BackupError(XinglinError):
    """A backup or a restore cannot be done as asked."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class Damaged(BackupError):
    """A part of the backup is missing, cut short or changed."""

    status: ClassVar[int] = 422
    issue: ClassVar[str] = "incomplete"


class FilesDamaged(Damaged):
    """Files are missing, damaged, or named by a list that is; ``contents``: names of the damaged copies."""

    def __init__(self, wrong: int, files: int, named: list[str], contents: list[str]) -> None:
        self.contents = contents
        super().__init__("apps.backup-files-wrong", wrong=wrong, files=files, named=", ".join(named))


class Foreign(BackupError):
    """It is no backup of ours, not of this record, or of a newer program."""

    status: ClassVar[int] = 422


class Sealed(BackupError):
    """It is encrypted, and the key was not given or is another one."""

    status: ClassVar[int] = 403
    issue: ClassVar[str] = "security"


class NoBackup(BackupError):
    """There is no backup, or none that reaches as far as asked."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class InUse(BackupError):
    """The database to restore into is not empty."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "conflict"


class UnderWay(BackupError):
    """Another process is making a backup of this record into the same place."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "conflict"


class Differs(BackupError):
    """What was restored is not what was backed up."""

    status: ClassVar[int] = 500
    issue: ClassVar[str] = "exception"
