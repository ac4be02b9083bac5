"""Shadow evaluation: a share of cheaply served requests is answered again by the capable model, and judged.

In the order of use: `requests` reads what was asked, `facts` what the ledger knows of it, `sampling` chooses, `calling`
answers within `purse` and `pace`, `judges` grades, `state` keeps what was bought and graded, `collecting` does it all
and `writing` makes the table of outcomes.
"""
