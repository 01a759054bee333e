"""The standards as code: FHIR, UCUM, Chinese text. Pure functions and data, no I/O."""
