"""Programs of others that are run against the gateway, each in an environment of its own."""
