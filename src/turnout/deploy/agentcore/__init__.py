"""Deployment to Amazon Bedrock AgentCore Runtime, on boto3's control plane.

What is wanted (`wanted`), what is there (`look`) and what was packed (`package`) go into a pure function (`plan`), and
it gives a list of named calls. `execute` makes them and waits; `state` remembers in a small file what was made. So a
dry run prints exactly what would be called, a second run calls only what is still missing, and `destroy` removes what a
deployment made and nothing else.

Known limitations: nothing here has been run against AWS. Requests are checked with botocore's service models and run
against moto; what only an account can show stands in ``docs/agentcore.md``, with the commands that check it.
"""
