"""HTTP ways out: providers' own APIs, called with a body that is relayed.

`client` is a small HTTP/1.1 client that keeps connections alive, `endpoint` says where and how a provider is called,
`auth` proves who calls, `headers` which headers go through, and `errors` what an answer that is none means.

The client is written here because it was the fastest of those that were measured (``python -m
benchmarks.bench_http_client``), and because a call that is left must close its connection at once. Parsing is
httptools'.
"""
