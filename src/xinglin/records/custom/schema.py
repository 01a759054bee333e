"""The tables of own search parameters, as schema step 2 of the record makes them on both databases.

own_parameter
    One row for each definition on one type that a tenant ever had; ``number`` is its parameter number in the index
    tables, for ever. ``state`` is the place in `model.STATES`. ``added`` and ``removed`` are generations: the set of rules
    that a resource's rows were drawn by can be told from its signature. ``done``, ``total``: how far the reindex is.
own_generation
    Grows with every change of a tenant's parameters; every process looks at it. ``opened`` counts parameters that became
    searchable.
"""

from __future__ import annotations

from typing import Final

from xinglin.kernel.database import Connection, run_script

_SQLITE: Final = """
CREATE TABLE own_parameter (
  tenant INTEGER NOT NULL, number INTEGER NOT NULL, resource TEXT NOT NULL, base TEXT NOT NULL, code TEXT NOT NULL,
  type TEXT NOT NULL, expression TEXT NOT NULL, targets TEXT NOT NULL, components TEXT NOT NULL, url TEXT NOT NULL,
  single INTEGER NOT NULL, state INTEGER NOT NULL, added INTEGER NOT NULL, removed INTEGER, changed_us INTEGER NOT NULL,
  done INTEGER NOT NULL, total INTEGER NOT NULL, report TEXT, PRIMARY KEY (tenant, number)) WITHOUT ROWID;
CREATE UNIQUE INDEX own_parameter_code ON own_parameter (tenant, base, code) WHERE state < 2;
CREATE TABLE own_generation (
  tenant INTEGER PRIMARY KEY, generation INTEGER NOT NULL, changed_us INTEGER NOT NULL, opened INTEGER NOT NULL);
"""

_POSTGRESQL: Final = """
CREATE TABLE own_parameter (
  changed_us BIGINT NOT NULL, added BIGINT NOT NULL, removed BIGINT, done BIGINT NOT NULL, total BIGINT NOT NULL,
  tenant INTEGER NOT NULL, number INTEGER NOT NULL, single SMALLINT NOT NULL, state SMALLINT NOT NULL,
  resource TEXT COLLATE "C" NOT NULL, base TEXT COLLATE "C" NOT NULL, code TEXT COLLATE "C" NOT NULL, type TEXT NOT NULL,
  expression TEXT NOT NULL, targets TEXT NOT NULL, components TEXT NOT NULL, url TEXT NOT NULL, report TEXT,
  PRIMARY KEY (tenant, number));
CREATE UNIQUE INDEX own_parameter_code ON own_parameter (tenant, base, code) WHERE state < 2;
CREATE TABLE own_generation (
  generation BIGINT NOT NULL, changed_us BIGINT NOT NULL, opened BIGINT NOT NULL, tenant INTEGER PRIMARY KEY);
"""


def create(connection: Connection) -> None:
    """Make the tables, inside the transaction of the migration."""
    run_script(connection, _SQLITE if connection.dialect == "sqlite" else _POSTGRESQL)
