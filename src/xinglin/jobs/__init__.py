"""The durable queue: long work that survives, in the record's own database and its transactions.

>>> from xinglin.kernel.database import open_database
>>> from xinglin.jobs.schema import create
>>> database = open_database("sqlite://")
>>> database.write(create)
>>> queue = Queue(database)
>>> worker = Worker(queue, [Kind("add", lambda work: {"sum": sum(work.arguments["of"])})])
>>> job = queue.add("add", {"of": [1, 2]})
>>> worker.run_pending()
1
>>> queue.get(job.id).result
{'sum': 3}
>>> database.close()
"""

from xinglin.jobs.errors import Cancelled, Interrupted, LeaseLost, NoSuchJob, Permanent, Stopping
from xinglin.jobs.model import SILENT_S, Job, Kind, LogLine, Schedule
from xinglin.jobs.queue import Queue
from xinglin.jobs.work import Work
from xinglin.jobs.worker import Worker

__all__ = [
    "SILENT_S",
    "Cancelled",
    "Interrupted",
    "Job",
    "Kind",
    "LeaseLost",
    "LogLine",
    "NoSuchJob",
    "Permanent",
    "Queue",
    "Schedule",
    "Stopping",
    "Work",
    "Worker",
]
