"""The proof that the money is right: what Turnout records, held against a bill that it did not write.

This folder mirrors no room. Its tests generate calls of every kind that costs money and check that the ledger's cost is
the sum of the calls, the cost of the spans that are derived from them, what Langfuse is told, and an independent bill:
`tests.accounting.bill` works it out in fractions from the provider's own report and from prices typed in by hand, by
code that shares nothing with the product's.

- `test_prices.py`: usage reports in each provider's convention, at every price of the catalog's Claude models.
- `test_events.py`: sequences of routed calls as values, from the router to the ledger, the tables and the spans.
- `test_wire.py`: the real boto3 and Strands against the Bedrock double, with its caches and scripted faults.
- `test_agents.py`: whole agents, with Strands' own spans exported beside ours.
"""
