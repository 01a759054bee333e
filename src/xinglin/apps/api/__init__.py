"""The server: the record over HTTP at ``/fhir``, the pages at ``/``, ``/health`` and ``/ready``."""
