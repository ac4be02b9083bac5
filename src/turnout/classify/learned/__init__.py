"""A classifier that learned from graded answers: features, the artefact, and its arithmetic on numpy alone."""
