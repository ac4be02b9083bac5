"""From a decision to an answer: calls the candidate that was chosen, and passes on what it says.

`relay` is the way through; `edits` is all that it changes of a body, `crossing` translates for a provider that speaks
another protocol, `streams` passes events on as they come, and `bill` adds up what the request costs.
"""
