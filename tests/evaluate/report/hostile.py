"""Texts that somebody may have put into a ledger to take over whoever looks at it."""

HOSTILE = (
    "</script><script>window.taken = 1</script>",
    "<img src=x onerror='window.taken = 1'>",
    '" onmouseover="window.taken = 1',
    "<!-- </style><script>window.taken = 1</script>",
    "javascript:window.taken=1",
    "${window.taken = 1} {{7*7}} \u2028 \u2029 \x00 \x1b[31m & < > ' \" $x$ _x",
)
