"""What is enqueued again and again: the times (`cron`), the table, and the tick that only one worker makes."""

from xinglin.jobs.schedules.cron import Cron
from xinglin.jobs.schedules.timetable import Timetable

__all__ = ["Cron", "Timetable"]
