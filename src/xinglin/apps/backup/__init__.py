"""Backup, archived changes, restore and its rehearsal: one engine-neutral form for SQLite and PostgreSQL."""
