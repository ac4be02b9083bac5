"""Ways in: each door turns what its callers speak into a conversation and a request."""
