"""Numbers for names: resource identities, terms and commits, each given once and kept for ever."""

from xinglin.records.identity.ledger import Ledger

__all__ = ["Ledger"]
