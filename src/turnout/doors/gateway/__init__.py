"""The gateway: one HTTP server in front of providers; clients of OpenAI, Anthropic and Bedrock are pointed at it.

`app.Gateway` is a bare ASGI application; `serving.opened_gateway` puts one together from settings. A request is read
once, decided like any other (`turnout.router`), and relayed to a provider that speaks its protocol, with nothing
changed but what `edits` lists.

Known limitations: a candidate whose provider does not speak the client's protocol is not eligible; there are no keys,
so the gateway listens on loopback only; sessions are not shared with other doors.
"""
