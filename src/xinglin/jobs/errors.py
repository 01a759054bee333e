"""Errors of the queue.

XinglinError
 └─ JobError             500
     ├─ NoSuchJob        404  not-found
     ├─ NotNow           409  conflict   the job is in no state for that (cancel of an ended one, retry of a running one)
     ├─ TooLarge         413  too-long   arguments, a result or a checkpoint that no row of the queue should hold
     ├─ BadSchedule      400  invalid    a cron line or a time zone that says no time
     ├─ Permanent        500  what a job raises where trying again cannot help
     ├─ WorkerLost       500  the reason of a job whose worker ended under it, too many times
     └─ Unexpected       500  the reason of a job that ended with an error nobody foresaw

Exception
 └─ Interrupted          raised by `Work` inside a job: let it pass, after closing what is open
     ├─ Cancelled        somebody asked: throw half-made things away
     ├─ LeaseLost        another worker has the job now: touch nothing more
     ├─ Stopping         this worker ends: another goes on from the saved checkpoint
     └─ TooLong          the attempt has taken longer than its kind may: another begins at the saved checkpoint
         └─ Silent       … has given no sign of life for longer than its kind may

Interrupted is no XinglinError, so that a job that goes on after a bad row does not go on after these.
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say


class JobError(XinglinError):
    """The queue cannot do what is asked."""

    words: ClassVar[dict[str, str]] = {"state": "jobs.state-", "field": "jobs.cron-field-"}
    """Values that are themselves words of a language, and where these stand."""

    def say(self, language: Language = "en") -> str:
        """See XinglinError."""
        values = {
            name: say(self.words[name] + str(value), language) if name in self.words else value
            for name, value in self.values.items()
        }
        return say(self.key, language, **values)


class NoSuchJob(JobError):
    """There is no such job in this tenant."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class NotNow(JobError):
    """The job is in a state in which that cannot be done; nothing was changed."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "conflict"


class TooLarge(JobError):
    """More than a row of the queue should hold; nothing was written."""

    status: ClassVar[int] = 413
    issue: ClassVar[str] = "too-long"


class BadSchedule(JobError):
    """What should say when to run says nothing that ever comes."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class Permanent(JobError):
    """The job cannot succeed however often it is tried: it fails at once, with this sentence as its reason."""


class WorkerLost(JobError):
    """The worker ended, or lost its lease, while it ran the job, more often than the job may be tried."""


class Unexpected(JobError):
    """An error that is none of ours."""


class Interrupted(Exception):
    """A job is to end before it is done."""


class Cancelled(Interrupted):
    """Somebody asked for the job to be cancelled."""


class LeaseLost(Interrupted):
    """The worker was silent for longer than its lease: the job is another's now, and nothing of this run counts."""


class Stopping(Interrupted):
    """The worker is being stopped; the job is queued again and goes on from its checkpoint."""


class TooLong(Interrupted):
    """The attempt has taken longer than its kind may; it counts as a failed one."""


class Silent(TooLong):
    """The attempt has given no sign of life for longer than its kind may go without one."""


LATER = frozenset({408, 409, 412, 423, 425, 429})
"""Client errors that may be gone at the next attempt: timeouts, conflicts, locks, too many requests."""


def passing(error: BaseException) -> bool:
    """Whether another attempt may end otherwise.

    >>> passing(NoSuchJob("jobs.no-such-job", id="x")), passing(NotNow("jobs.cancel-ended")), passing(OSError())
    (False, True, True)
    """
    if isinstance(error, Permanent):
        return False
    if isinstance(error, XinglinError):
        return error.status >= 500 or error.status in LATER
    return True
