"""What the bytes of the protocols mean: requests, streams, usage and errors of OpenAI, Anthropic and Bedrock.

Everything here is pure: bytes in, values out, no I/O. `openai_chat`, `anthropic`, `converse` and `invoke` read a body
into `turnout.messages.wire.asked.Asked` and write a `Conversation` as a body; `openai_responses` and `count_tokens`
only read; `splice` edits a body and leaves every other byte alone; `sse` and `eventstream` cut streams into events, of
which `usage` reads what was billed; `errors` writes a problem as each protocol words it.
"""
