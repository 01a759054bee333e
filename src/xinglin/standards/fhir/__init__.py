"""FHIR R4 (4.0.1): the generated model, validation, FHIRPath and the search grammar."""
