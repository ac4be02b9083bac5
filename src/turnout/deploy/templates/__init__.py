"""What runs the gateway as a service: printed by ``turnout templates``, to be read and kept by who deploys."""
