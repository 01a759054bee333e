"""The tables of the record on both databases, and how an older database becomes a newer one.

What each table is for
----------------------
entity
    The interned identity of every local resource and every target of a reference: (tenant, type, id) → ``rid``, for ever.
    Targets that are no local resource (URLs, canonicals) have type ''.
resource
    The current version of each resource. ``state`` 0 live, 1 deleted (a tombstone; erasure is another thing and will be 2).
    ``patient``: rid of the one owning Patient, 0 none, -1 several (then `resource_patient` has them). ``body``: see
    `bodies`; NULL where deleted. ``index_version``: of the rules that its index rows were made by.
history
    Superseded versions only. ``until_us``: when the next version took its place, so that "as of" is one range.
commits
    The one order of all writes. ``position`` grows without a reader ever seeing a later one before an earlier one.
term
    Interned (system, code, display) → ``value``. ``folded_…``: for search without case and accents.
ix_…
    Index rows of live resources only. WITHOUT ROWID on SQLite: the table is the index by resource, and the second index
    carries every column a search needs. ``patient`` as in resource. The partial indexes hold the few intervals longer than
    32 days, and ranges of numbers: a comparison at the upper end reads them beside one range of lower ends.
fulltext
    Words of narrative and of all strings; follows ``commits.position`` in the background (`records.fulltext`).

Times are µs since 1970-01-01T00:00:00Z. On PostgreSQL every key begins with tenant, so that a later step can partition.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from xinglin.jobs import schema as jobs
from xinglin.kernel.database import Connection, Database, NewerSchema, run_script
from xinglin.kernel.log import logger
from xinglin.records.custom import schema as custom
from xinglin.records.feed import schema as feed
from xinglin.records.past import schema as past

SCHEMA_VERSION: Final = 3

_SQLITE_1: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES ('rid', 0), ('tx', 0), ('term', 0);
CREATE TABLE tenant (tenant INTEGER PRIMARY KEY, name TEXT NOT NULL, zone TEXT NOT NULL);
CREATE TABLE entity (
  tenant INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, rid INTEGER NOT NULL,
  PRIMARY KEY (tenant, type, id)) WITHOUT ROWID;
CREATE TABLE resource (
  rid INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  tx INTEGER NOT NULL, updated_us INTEGER NOT NULL, state INTEGER NOT NULL, method TEXT NOT NULL,
  patient INTEGER NOT NULL, index_version INTEGER NOT NULL, body BLOB);
CREATE INDEX resource_updated ON resource (tenant, type, updated_us, rid);
CREATE INDEX resource_deleted ON resource (tenant, type, rid) WHERE state <> 0;
CREATE INDEX resource_tx ON resource (tx);
CREATE TABLE history (
  rid INTEGER NOT NULL, version INTEGER NOT NULL, tenant INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
  tx INTEGER NOT NULL, updated_us INTEGER NOT NULL, until_us INTEGER NOT NULL, state INTEGER NOT NULL,
  method TEXT NOT NULL, patient INTEGER NOT NULL, body BLOB,
  PRIMARY KEY (rid, version));
CREATE INDEX history_updated ON history (tenant, type, updated_us, rid);
CREATE INDEX history_tx ON history (tx);
CREATE TABLE resource_patient (
  rid INTEGER NOT NULL, patient INTEGER NOT NULL, tenant INTEGER NOT NULL, PRIMARY KEY (rid, patient)) WITHOUT ROWID;
CREATE INDEX resource_patient_patient ON resource_patient (tenant, patient, rid);
CREATE TABLE commits (
  tx INTEGER PRIMARY KEY, position INTEGER NOT NULL, at_us INTEGER NOT NULL, tenant INTEGER NOT NULL);
CREATE UNIQUE INDEX commits_position ON commits (position);
CREATE INDEX commits_at ON commits (at_us);
CREATE TABLE term (
  value INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, system TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL,
  folded_code TEXT NOT NULL, folded_text TEXT NOT NULL);
CREATE INDEX term_code ON term (tenant, code, system);
CREATE INDEX term_folded_code ON term (tenant, folded_code);
CREATE INDEX term_folded_text ON term (tenant, folded_text) WHERE folded_text <> '';
CREATE TABLE ix_token (
  rid INTEGER NOT NULL, param INTEGER NOT NULL, value INTEGER NOT NULL, patient INTEGER NOT NULL, tenant INTEGER NOT NULL,
  PRIMARY KEY (rid, param, value)) WITHOUT ROWID;
CREATE INDEX ix_token_value ON ix_token (tenant, param, value, patient, rid);
CREATE TABLE ix_reference (
  rid INTEGER NOT NULL, param INTEGER NOT NULL, target INTEGER NOT NULL, tenant INTEGER NOT NULL,
  PRIMARY KEY (rid, param, target)) WITHOUT ROWID;
CREATE INDEX ix_reference_target ON ix_reference (tenant, param, target, rid);
CREATE TABLE ix_string (
  rid INTEGER NOT NULL, param INTEGER NOT NULL, norm TEXT NOT NULL, exact TEXT NOT NULL, kind INTEGER NOT NULL,
  tenant INTEGER NOT NULL, PRIMARY KEY (rid, param, norm, exact, kind)) WITHOUT ROWID;
CREATE INDEX ix_string_norm ON ix_string (tenant, param, norm, rid);
CREATE TABLE ix_date (
  rid INTEGER NOT NULL, param INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, patient INTEGER NOT NULL,
  tenant INTEGER NOT NULL, PRIMARY KEY (rid, param, low, high)) WITHOUT ROWID;
CREATE INDEX ix_date_low ON ix_date (tenant, param, low, high, rid);
CREATE INDEX ix_date_long ON ix_date (tenant, param, high, low, rid) WHERE high - low > 2764800000000;
CREATE TABLE ix_quantity (
  rid INTEGER NOT NULL, param INTEGER NOT NULL, unit INTEGER NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
  tenant INTEGER NOT NULL, PRIMARY KEY (rid, param, unit, low, high)) WITHOUT ROWID;
CREATE INDEX ix_quantity_low ON ix_quantity (tenant, param, unit, low, high, rid);
CREATE INDEX ix_quantity_wide ON ix_quantity (tenant, param, unit, high, low, rid) WHERE high > low;
CREATE TABLE ix_pair (
  rid INTEGER NOT NULL, param INTEGER NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL, low REAL NOT NULL,
  high REAL NOT NULL, text TEXT NOT NULL, patient INTEGER NOT NULL, tenant INTEGER NOT NULL,
  PRIMARY KEY (rid, param, a, b, low, high, text)) WITHOUT ROWID;
CREATE INDEX ix_pair_a ON ix_pair (tenant, param, a, b, low, rid);
CREATE INDEX ix_pair_wide ON ix_pair (tenant, param, a, b, high, low, rid) WHERE high > low;
CREATE VIRTUAL TABLE fulltext USING fts5 (
  narrative, content, content='', contentless_delete=1, detail=full, tokenize="unicode61 remove_diacritics 2");
"""

_POSTGRESQL_1: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE SEQUENCE rid_block INCREMENT 1;
CREATE SEQUENCE tx_block;
CREATE SEQUENCE term_block;
CREATE TABLE tenant (tenant INTEGER PRIMARY KEY, name TEXT NOT NULL, zone TEXT NOT NULL);
CREATE TABLE entity (
  rid BIGINT NOT NULL, tenant INTEGER NOT NULL, type TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, type, id));
CREATE TABLE resource (
  rid BIGINT NOT NULL, tx BIGINT NOT NULL, updated_us BIGINT NOT NULL, patient BIGINT NOT NULL, tenant INTEGER NOT NULL,
  version INTEGER NOT NULL, index_version INTEGER NOT NULL, state SMALLINT NOT NULL, type TEXT COLLATE "C" NOT NULL,
  id TEXT COLLATE "C" NOT NULL, method TEXT NOT NULL, body BYTEA, PRIMARY KEY (tenant, rid));
ALTER TABLE resource ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX resource_updated ON resource (tenant, type, updated_us, rid);
CREATE INDEX resource_deleted ON resource (tenant, type, rid) WHERE state <> 0;
CREATE INDEX resource_tx ON resource (tx);
CREATE TABLE history (
  rid BIGINT NOT NULL, tx BIGINT NOT NULL, updated_us BIGINT NOT NULL, until_us BIGINT NOT NULL, patient BIGINT NOT NULL,
  tenant INTEGER NOT NULL, version INTEGER NOT NULL, state SMALLINT NOT NULL, type TEXT COLLATE "C" NOT NULL,
  id TEXT COLLATE "C" NOT NULL, method TEXT NOT NULL, body BYTEA, PRIMARY KEY (tenant, rid, version));
ALTER TABLE history ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX history_updated ON history (tenant, type, updated_us, rid);
CREATE INDEX history_tx ON history (tx);
CREATE TABLE resource_patient (
  rid BIGINT NOT NULL, patient BIGINT NOT NULL, tenant INTEGER NOT NULL, PRIMARY KEY (tenant, rid, patient));
CREATE INDEX resource_patient_patient ON resource_patient (tenant, patient, rid);
CREATE TABLE commits (
  tx BIGINT PRIMARY KEY, position BIGINT NOT NULL UNIQUE, at_us BIGINT NOT NULL, tenant INTEGER NOT NULL);
CREATE INDEX commits_at ON commits (at_us);
CREATE TABLE term (
  value BIGINT PRIMARY KEY, tenant INTEGER NOT NULL, system TEXT COLLATE "C" NOT NULL, code TEXT COLLATE "C" NOT NULL,
  text TEXT COLLATE "C" NOT NULL, folded_code TEXT COLLATE "C" NOT NULL, folded_text TEXT COLLATE "C" NOT NULL);
CREATE UNIQUE INDEX term_code ON term (tenant, code, system, text);
CREATE INDEX term_folded_code ON term (tenant, folded_code);
CREATE INDEX term_folded_text ON term (tenant, folded_text) WHERE folded_text <> '';
CREATE TABLE ix_token (
  rid BIGINT NOT NULL, value BIGINT NOT NULL, patient BIGINT NOT NULL, param INTEGER NOT NULL, tenant INTEGER NOT NULL);
CREATE INDEX ix_token_rid ON ix_token (tenant, rid, param);
CREATE INDEX ix_token_value ON ix_token (tenant, param, value, patient, rid);
CREATE TABLE ix_reference (
  rid BIGINT NOT NULL, target BIGINT NOT NULL, param INTEGER NOT NULL, tenant INTEGER NOT NULL);
CREATE INDEX ix_reference_rid ON ix_reference (tenant, rid, param);
CREATE INDEX ix_reference_target ON ix_reference (tenant, param, target, rid);
CREATE TABLE ix_string (
  rid BIGINT NOT NULL, param INTEGER NOT NULL, tenant INTEGER NOT NULL, kind SMALLINT NOT NULL,
  norm TEXT COLLATE "C" NOT NULL, exact TEXT COLLATE "C" NOT NULL);
CREATE INDEX ix_string_rid ON ix_string (tenant, rid, param);
CREATE INDEX ix_string_norm ON ix_string (tenant, param, norm, rid);
CREATE TABLE ix_date (
  rid BIGINT NOT NULL, low BIGINT NOT NULL, high BIGINT NOT NULL, patient BIGINT NOT NULL, param INTEGER NOT NULL,
  tenant INTEGER NOT NULL);
CREATE INDEX ix_date_rid ON ix_date (tenant, rid, param);
CREATE INDEX ix_date_low ON ix_date (tenant, param, low, high, rid);
CREATE INDEX ix_date_long ON ix_date (tenant, param, high, low, rid) WHERE high - low > 2764800000000;
CREATE TABLE ix_quantity (
  rid BIGINT NOT NULL, unit BIGINT NOT NULL, low DOUBLE PRECISION NOT NULL, high DOUBLE PRECISION NOT NULL,
  param INTEGER NOT NULL, tenant INTEGER NOT NULL);
CREATE INDEX ix_quantity_rid ON ix_quantity (tenant, rid, param);
CREATE INDEX ix_quantity_low ON ix_quantity (tenant, param, unit, low, high, rid);
CREATE INDEX ix_quantity_wide ON ix_quantity (tenant, param, unit, high, low, rid) WHERE high > low;
CREATE TABLE ix_pair (
  rid BIGINT NOT NULL, a BIGINT NOT NULL, b BIGINT NOT NULL, low DOUBLE PRECISION NOT NULL,
  high DOUBLE PRECISION NOT NULL, patient BIGINT NOT NULL, param INTEGER NOT NULL, tenant INTEGER NOT NULL,
  text TEXT COLLATE "C" NOT NULL);
CREATE INDEX ix_pair_rid ON ix_pair (tenant, rid, param);
CREATE INDEX ix_pair_a ON ix_pair (tenant, param, a, b, low, rid);
CREATE INDEX ix_pair_wide ON ix_pair (tenant, param, a, b, high, low, rid) WHERE high > low;
CREATE TABLE fulltext (
  rid BIGINT NOT NULL, tenant INTEGER NOT NULL, narrative TSVECTOR NOT NULL, content TSVECTOR NOT NULL,
  PRIMARY KEY (tenant, rid));
CREATE INDEX fulltext_narrative ON fulltext USING gin (narrative);
CREATE INDEX fulltext_content ON fulltext USING gin (content);
"""

_LOCK = 0x58494E47  # one process at a time makes or migrates a PostgreSQL schema


def _first(connection: Connection) -> None:
    run_script(connection, _SQLITE_1 if connection.dialect == "sqlite" else _POSTGRESQL_1)
    connection.execute("INSERT INTO tenant (tenant, name, zone) VALUES (1, 'default', 'UTC')")
    for key, value in (("cursor_key", secrets.token_hex(32)), ("fulltext_position", "0")):
        connection.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (key, value))


def make_search_tables(connection: Connection) -> None:
    """The tables of step 1 on an empty SQLite connection: what a search needs, for an index in memory."""
    run_script(connection, _SQLITE_1)


def _second(connection: Connection) -> None:
    """The backbone: queue, feed, time machine, custom parameters; each with its own tables."""
    for part in (jobs, feed, past, custom):
        part.create(connection)


def _third(connection: Connection) -> None:
    """Tenants take turns in the queue."""
    jobs.take_turns(connection)


STEPS: Final[tuple[Callable[[Connection], None], ...]] = (_first, _second, _third)
"""Step n leads from schema version n to n + 1. Released steps are never edited: add one, and a fixture database."""


def schema_version(connection: Connection) -> int:
    """The schema version of the database, 0 where it is empty."""
    if connection.dialect == "sqlite":
        there = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone()
    else:
        there = connection.execute("SELECT to_regclass('meta')::text").fetchone()
    if not there or there[0] is None:
        return 0
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class Migrating:
    """A migration that begins, or with ``seconds`` one that is done."""

    before: int
    after: int
    versions: int
    """Superseded versions: what a step reads through."""
    seconds: float | None = None


def log_migration(at: Migrating) -> None:
    """Say in the log that a migration begins or is done, so that whoever waits for the start knows why."""
    told: dict[str, object] = {"schema": at.before, "to": at.after, "versions": at.versions}
    if at.seconds is None:
        logger("records").warning("migrating", **told)
    else:
        logger("records").warning("migrated", **told, seconds=round(at.seconds, 1))


def migrate(database: Database, told: Callable[[Migrating], None] = log_migration) -> tuple[int, int]:
    """Bring ``database`` to this program's schema, all steps in one transaction; (version before, version after).

    ``told`` learns of an older database when its migration begins, and when it is done. Raises NewerSchema for a database
    that a newer program wrote; it is left as it is.
    """

    def run(connection: Connection) -> tuple[int, int]:
        connection.execute("BEGIN IMMEDIATE" if connection.dialect == "sqlite" else "BEGIN")
        if connection.dialect == "postgresql":
            connection.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
        before = schema_version(connection)
        if before > SCHEMA_VERSION:
            raise NewerSchema("kernel.database-newer", found=before, known=SCHEMA_VERSION)
        if 0 < before < SCHEMA_VERSION:
            row = connection.execute("SELECT count(*) FROM history").fetchone()
            begun = Migrating(before, SCHEMA_VERSION, int(row[0]) if row else 0)
            told(begun)
            began = time.monotonic()
        for step in STEPS[before:]:
            step(connection)
        if before < SCHEMA_VERSION:
            connection.execute("DELETE FROM meta WHERE key = 'schema_version'")
            connection.execute(
                "INSERT INTO meta (key, value) VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),)
            )
        connection.execute("COMMIT")
        if 0 < before < SCHEMA_VERSION:
            told(replace(begun, seconds=time.monotonic() - began))
        return before, SCHEMA_VERSION

    return database.exclusively(run)
