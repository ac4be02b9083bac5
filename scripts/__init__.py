"""What people and CI run alike; the Makefile lists it. Nothing here is part of the package."""
