"""The gateway: one HTTP server in front of providers; clients of OpenAI, Anthropic and Bedrock are pointed at it.

`app.Gateway` is a bare ASGI application; `serving.opened_gateway` puts one together from settings. A request is read
once, let in by its key (`access`), decided like any other (`turnout.router`), and relayed to a provider that speaks its
protocol, with nothing changed but what `edits` lists, or translated for one that speaks another (`crossing`).

Known limitations: sessions are not shared with other doors, nor among workers.
"""
