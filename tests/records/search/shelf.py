"""A record filled by hand: resources with index rows written out, so that a test says exactly what is in the tables."""

from __future__ import annotations

from xinglin.kernel.database import Connection, open_database
from xinglin.records.cursors import Cursors
from xinglin.records.identity import Ledger
from xinglin.records.index.rows import IndexRows
from xinglin.records.schema import migrate
from xinglin.records.search import Page, Search
from xinglin.records.writing import Version, look_up, write_versions
from xinglin.standards.fhir.r4.parameters import PARAMETERS
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.query import Compartment, Query
from xinglin.standards.han import fold
from xinglin.trust import Predicate


def number(base: str, name: str) -> int:
    """The number of a search parameter."""
    return PARAMETERS[base, name].number


class Shelf:
    """A database with our schema, a way to put resources in, and a way to ask."""

    def __init__(self, url: str) -> None:
        self.database = open_database(url, durable=False)
        migrate(self.database)
        self.ledger = Ledger(fold)
        self.database.attach(self.ledger)
        self.search = Search(Cursors(bytes(32)))

    def close(self) -> None:
        self.database.close()

    def put(self, name: str, rows: IndexRows | None = None, tenant: int = 1, *, patient: str = "") -> None:
        """Write ``Type/id``; without ``rows``, delete it."""
        kind, id_ = name.split("/")
        body = None if rows is None else f'{{"resourceType":"{kind}","id":"{id_}"}}'.encode()
        if rows is not None and patient:
            rows.patients = [patient]

        def unit(connection: Connection) -> None:
            rids, current = look_up(connection, self.ledger, tenant, [(kind, id_)])
            rid = rids[kind, id_]
            version = Version(kind, id_, rid, "PUT" if body else "DELETE", body, rows, current.get(rid))
            write_versions(connection, self.ledger, tenant, [version])

        self.database.write(unit)

    def query(self, url: str, **options: object) -> Query:
        """``Type?name=value&…`` or ``Patient/1/Type?…`` as a Query."""
        path, _, text = url.partition("?")
        parts = path.split("/")
        compartment = Compartment(parts[0], parts[1]) if len(parts) == 3 else None
        pairs = [tuple(pair.split("=", 1)) for pair in text.split("&")] if text else []
        return parse_query(parts[-1] or None, pairs, strict=True, compartment=compartment, **options)  # type: ignore[arg-type]

    def page(self, url: str, tenant: int = 1, **options: object) -> Page:
        """One page."""
        with self.database.read() as connection:
            return self.search.page(connection, Predicate(tenant), self.query(url, **options))

    def names(self, url: str, tenant: int = 1) -> list[str]:
        """``Type/id`` of all matches, over all pages."""
        found: list[str] = []
        cursor = ""
        while True:
            page = self.page(url + cursor, tenant)
            found += [f"{e.stored.type}/{e.stored.id}" for e in page.entries if e.mode == "match"]
            if page.next is None:
                return found
            cursor = ("&" if "?" in url else "?") + "_cursor=" + page.next

    def included(self, url: str) -> list[str]:
        """``Type/id`` of what the first page includes."""
        return [f"{e.stored.type}/{e.stored.id}" for e in self.page(url).entries if e.mode == "include"]

    def explain(self, url: str) -> str:
        """The query plan."""
        with self.database.read() as connection:
            plans = self.search.explain(connection, Predicate(1), self.query(url))
        return "\n".join("\n".join([sql, *lines]) for sql, lines in plans)

    def ids(self, query: Query) -> list[str]:
        """Ids of the first page of a query."""
        with self.database.read() as connection:
            return [e.stored.id for e in self.search.page(connection, Predicate(1), query).entries]
