from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from turnout.deploy.templates.docker import gateway_dockerfile
from turnout.deploy.templates.systemd import systemd_unit


def test_systemd(turnout: Run) -> None:
    assert turnout("templates", "systemd") == (0, systemd_unit(), "")
    code, out, _ = turnout("templates", "systemd", "--command", "/usr/bin/turnout")
    assert (code, out) == (0, systemd_unit("/usr/bin/turnout"))


def test_docker(turnout: Run) -> None:
    assert turnout("templates", "docker") == (0, gateway_dockerfile(), "")
    assert turnout("templates", "docker", "--port", "9000")[1] == gateway_dockerfile(port=9000)


@pytest.mark.parametrize("arguments", [("systemd", "--command", "turnout"), ("docker", "--port", "0"), ("helm",)])
def test_what_cannot_be_printed_is_told(turnout: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = turnout("templates", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("turnout: ")
