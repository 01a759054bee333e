"""The record: versioned, searchable FHIR resources on SQLite or PostgreSQL; every read and write passes here."""
