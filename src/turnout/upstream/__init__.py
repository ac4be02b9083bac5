"""Ways out: the providers that serve candidates."""
