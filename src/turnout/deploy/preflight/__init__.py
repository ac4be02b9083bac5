"""Whether settings work on this machine, and what they would do: what ``turnout check`` prints."""
