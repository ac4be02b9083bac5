"""Between protocols: a request for a provider that speaks another one than the client, and the answer on its way back.

Everything here is pure: values and bytes in, bytes out. `requests` writes what a client asks in the provider's
protocol, or says what has no place there; `answers` gives the answer back in the client's, whole or streamed. In
between stand the parts of `parts`, in the order of a stream of Converse: one reader and one writer a protocol, never
one a pair.
"""
