"""The ground floor: settings, errors, language, clock, ids, logging, database. Knows nothing of medicine."""
