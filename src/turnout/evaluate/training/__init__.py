"""Learning a classifier from graded answers: reading, heads, selection by grouped cross-validation, the artefact."""
