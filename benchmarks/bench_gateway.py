"""What the gateway costs beside its peers: runs ``benchmarks.gateway``, which fails where a target is missed."""

from __future__ import annotations

import sys

from benchmarks.gateway.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
