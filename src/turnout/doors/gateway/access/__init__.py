"""Who may use the gateway and how much: keys, signatures, limits, and where it may listen.

No secret of a key is in any log, error, event or ``repr``. What is refused comes out as a `Denial`, which a door puts
into its own protocol's shape.
"""
