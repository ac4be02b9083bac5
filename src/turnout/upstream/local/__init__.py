"""Models that run in this process, from weights that are installed as packages; nothing is downloaded."""
