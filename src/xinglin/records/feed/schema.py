"""The tables of the change feed and of subscriptions, as schema step 2 of the record makes them on both databases.

consumer
    One row for each durable follower of the feed (tenant 0: of all tenants): the ``position`` that it has handled, the
    process that leads it (``owner``, ``fence``, good until ``until_us``), and why it stands still, if it does.
consumer_lane
    A lane (one patient, or one resource of no patient) whose first held change failed: tried again at ``due_us``, or
    ``parked`` until a person asks for it. ``reason``: JSON of a sentence's key and values, never of a patient's data.
consumer_held
    The changes of such lanes that wait, the failed one first, in the order of the feed.
subscription
    What the server knows of each live Subscription resource beside it: the ``version`` that is kept up, ``since``
    the position of the change that asked for it; ``failures`` in a row since ``failing_us``, next try at ``due_us``;
    ``matched`` the newest position that matched (web sockets wait for it to move).
subscription_queue
    Deliveries that are due, by position: ids only. Gone once the subscriber has taken them.
subscription_secret
    The values of ``channel.header``, which the resource itself never holds: see `records.subscriptions.secrets`.
"""

from __future__ import annotations

from typing import Final

from xinglin.kernel.database import Connection, run_script

_SQLITE: Final = """
CREATE TABLE consumer (
  tenant INTEGER NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL, owner TEXT NOT NULL, fence INTEGER NOT NULL,
  until_us INTEGER NOT NULL, moved_us INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID;
CREATE TABLE consumer_lane (
  tenant INTEGER NOT NULL, consumer TEXT NOT NULL, lane TEXT NOT NULL, parked INTEGER NOT NULL, attempts INTEGER NOT NULL,
  due_us INTEGER NOT NULL, since_us INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (tenant, consumer, lane)) WITHOUT ROWID;
CREATE TABLE consumer_held (
  tenant INTEGER NOT NULL, consumer TEXT NOT NULL, lane TEXT NOT NULL, position INTEGER NOT NULL, place INTEGER NOT NULL,
  type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, method TEXT NOT NULL, patient TEXT,
  at_us INTEGER NOT NULL, PRIMARY KEY (tenant, consumer, lane, position, type, id, version)) WITHOUT ROWID;
CREATE TABLE subscription (
  tenant INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, since INTEGER NOT NULL,
  matched INTEGER NOT NULL, failures INTEGER NOT NULL, failing_us INTEGER NOT NULL, due_us INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)) WITHOUT ROWID;
CREATE TABLE subscription_queue (
  tenant INTEGER NOT NULL, subscription TEXT NOT NULL, position INTEGER NOT NULL, place INTEGER NOT NULL,
  type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, subscription, position, type, id, version)) WITHOUT ROWID;
CREATE TABLE subscription_secret (
  tenant INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (tenant, id, name)) WITHOUT ROWID;
"""

_POSTGRESQL: Final = """
CREATE TABLE consumer (
  tenant INTEGER NOT NULL, name TEXT COLLATE "C" NOT NULL, position BIGINT NOT NULL, owner TEXT NOT NULL,
  fence BIGINT NOT NULL, until_us BIGINT NOT NULL, moved_us BIGINT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (tenant, name));
CREATE TABLE consumer_lane (
  tenant INTEGER NOT NULL, consumer TEXT COLLATE "C" NOT NULL, lane TEXT COLLATE "C" NOT NULL, parked SMALLINT NOT NULL,
  attempts INTEGER NOT NULL, due_us BIGINT NOT NULL, since_us BIGINT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (tenant, consumer, lane));
CREATE TABLE consumer_held (
  tenant INTEGER NOT NULL, consumer TEXT COLLATE "C" NOT NULL, lane TEXT COLLATE "C" NOT NULL, position BIGINT NOT NULL,
  place INTEGER NOT NULL, type TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, version INTEGER NOT NULL,
  method TEXT NOT NULL, patient TEXT, at_us BIGINT NOT NULL,
  PRIMARY KEY (tenant, consumer, lane, position, type, id, version));
CREATE TABLE subscription (
  tenant INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL, version INTEGER NOT NULL, since BIGINT NOT NULL,
  matched BIGINT NOT NULL, failures INTEGER NOT NULL, failing_us BIGINT NOT NULL, due_us BIGINT NOT NULL,
  PRIMARY KEY (tenant, id));
CREATE TABLE subscription_queue (
  tenant INTEGER NOT NULL, subscription TEXT COLLATE "C" NOT NULL, position BIGINT NOT NULL, place INTEGER NOT NULL,
  type TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, subscription, position, type, id, version));
CREATE TABLE subscription_secret (
  tenant INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (tenant, id, name));
"""


_SUBSCRIPTIONS: Final = """
INSERT INTO consumer (tenant, name, position, owner, fence, until_us, moved_us, reason)
  SELECT 0, 'subscriptions', coalesce(max(position), 0), '', 0, 0, 0, '' FROM commits
"""


def create(connection: Connection) -> None:
    """Make the tables, inside the transaction of the migration.

    Subscriptions are followed from this moment on, whenever the first worker starts; those of an older record, which
    nobody has served so far, begin when they are written again.
    """
    run_script(connection, _SQLITE if connection.dialect == "sqlite" else _POSTGRESQL)
    connection.execute(_SUBSCRIPTIONS)
