"""A process that runs queued reindexes until it is killed; says when one has begun.

python reindexing_process.py URL
"""

from __future__ import annotations

import sys

from xinglin.jobs import Worker
from xinglin.kernel.settings import Settings
from xinglin.records import reindexing
from xinglin.records.jobs import kinds
from xinglin.records.service import open_records
from xinglin.records.site import Site


def main(url: str) -> None:
    reindexing.BATCH = 20  # type: ignore[misc]  # many small steps, so that it is killed between them
    records = open_records(url)
    site = Site(records, Settings(reindex_share=0.2))
    Worker(site.queue, kinds(site), lease_s=10.0, threads=1).start()
    print("ready", flush=True)
    for line in sys.stdin:
        print(line, end="", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
