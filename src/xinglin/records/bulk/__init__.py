"""Bulk export by the FHIR Bulk Data Access pattern: all of the record, or a part of it, as it was at one instant.

``request``  what can be asked for
``moment``   the instant, and which versions belong to it
``selection`` which resources a Group or a ``_typeFilter`` names
``exporter`` writes them as NDJSON, a file after the other, and goes on after a crash
``job``      the exporter as a job, and the sweeping of what has expired

Source: HL7 FHIR Bulk Data Access 2.0, https://hl7.org/fhir/uv/bulkdata/.
"""
