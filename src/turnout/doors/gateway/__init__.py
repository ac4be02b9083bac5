"""The gateway: one HTTP server in front of providers, with doors that speak what their clients speak."""
