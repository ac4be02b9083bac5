"""The gateway: one HTTP server in front of providers; clients of OpenAI, Anthropic and Bedrock are pointed at it.

`app.Gateway` is a bare ASGI application; `serving.opened_gateway` puts one together from settings. A request is read
once (`exchange`), let in by its key (`admission`, `access`), decided like any other (`routing`), and relayed to a
provider that speaks its protocol, or translated for one that speaks another (`relaying`). `server` runs all that.

Known limitations: sessions are not shared with other doors, nor among workers.
"""
