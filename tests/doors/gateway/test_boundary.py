"""Pages of the web are refused, programs of this machine are not."""

from __future__ import annotations

import pytest

from turnout.doors.gateway.boundary import check_sender
from turnout.doors.gateway.problems import RequestError


@pytest.mark.parametrize("host", [b"localhost:4141", b"127.0.0.1", b"127.9.9.9:80", b"[::1]:4141"])
def test_names_of_this_machine(host: bytes) -> None:
    check_sender([(b"host", host), (b"origin", b"http://" + host)])


@pytest.mark.parametrize("name", [b"host", b"origin"])
@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"10.0.0.1:80", b"", b"[::", b"0.0.0.0"])
def test_other_names(name: bytes, host: bytes) -> None:
    value = host if name == b"host" else b"https://" + host
    for _ in range(2):
        with pytest.raises(RequestError) as caught:
            check_sender([(name, value)])
        assert caught.value.problem.status == 403
