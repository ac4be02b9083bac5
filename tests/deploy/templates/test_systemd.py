from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from turnout.deploy.templates.systemd import COMMAND, CONFIG, UNIT_NAME, systemd_unit


class Unit(configparser.RawConfigParser):
    """A unit's sections; a key that stands twice adds to the first."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def service(text: str) -> dict[str, str]:
    unit = Unit(strict=False)
    unit.read_string(text)
    assert unit.sections() == ["Unit", "Service", "Install"]
    return dict(unit["Service"])


def test_every_line_is_a_section_a_comment_or_a_key() -> None:
    for line in systemd_unit().splitlines():
        assert line == "" or re.fullmatch(r"#.*|\[[A-Z]\w+\]|[A-Z]\w+=.*", line), line


def test_it_serves_reads_settings_anew_and_lets_answers_end() -> None:
    keys = service(systemd_unit(drain_seconds=50))
    assert keys["ExecStart"] == f"{COMMAND} serve --config {CONFIG}"
    assert keys["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert int(keys["TimeoutStopSec"]) > 50


@pytest.mark.parametrize(
    "line",
    [
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "CapabilityBoundingSet=",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "SystemCallFilter=@system-service",
        "UMask=0077",
    ],
)
def test_it_gives_up_its_rights(line: str) -> None:
    assert line in systemd_unit().splitlines()


def test_paths_with_blanks_and_percent_signs_are_quoted() -> None:
    assert service(systemd_unit("/opt/a b/turnout", "/etc/50%.toml"))["ExecStart"] == (
        "'/opt/a b/turnout' serve --config /etc/50%%.toml"
    )


@pytest.mark.parametrize(("command", "config"), [("turnout", CONFIG), (COMMAND, "./turnout.toml")])
def test_a_path_that_is_not_absolute_is_refused(command: str, config: str) -> None:
    with pytest.raises(ValueError, match="absolute paths only"):
        systemd_unit(command, config)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("folder", ["plain", "with a blank"])
def test_systemd_finds_nothing(tmp_path: Path, folder: str) -> None:
    command = tmp_path / folder / "turnout"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = tmp_path / UNIT_NAME
    unit.write_text(systemd_unit(str(command)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    # It also reads the units of the machine that it runs on, and may say something of those.
    ours = [line for line in (done.stdout + done.stderr).splitlines() if UNIT_NAME in line]
    assert ours == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_would_find_a_mistake(tmp_path: Path) -> None:
    unit = tmp_path / UNIT_NAME
    unit.write_text(systemd_unit("/no/such/turnout").replace("ProtectHome=yes", "ProtectHome=maybe"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "/no/such/turnout" in said
    assert "protect home" in said
