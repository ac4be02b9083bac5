"""What a gateway costs a request: Turnout beside the peers that registries have, in one interleaved run."""
