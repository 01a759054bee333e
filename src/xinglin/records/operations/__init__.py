"""Operations of R4 on the record: ``Observation/$lastn``, ``Observation/$stats``, ``$meta``, ``$meta-add``, ``$meta-delete``."""
