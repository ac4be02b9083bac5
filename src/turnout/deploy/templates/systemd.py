"""A unit of systemd for the gateway, with rights to nothing but its ledger and the network.

Known limitation: the unit is checked by ``systemd-analyze verify`` and has not been run by the project itself under a
live systemd.
"""

from __future__ import annotations

import shlex

UNIT_NAME = "turnout.service"
"""The file's name in /etc/systemd/system."""

COMMAND = "/opt/turnout/bin/turnout"
"""Where the installation that the unit's own comment describes puts the command."""

CONFIG = "/etc/turnout/turnout.toml"
"""The settings."""

DRAIN_SECONDS = 30
"""How long answers under way have to end, as in the gateway's own settings; systemd waits a little longer."""


def systemd_unit(command: str = COMMAND, config: str = CONFIG, drain_seconds: int = DRAIN_SECONDS) -> str:
    """The unit.

    Args:
        command: The absolute path of ``turnout``.
        config: The absolute path of the settings.
        drain_seconds: The gateway's ``drain_seconds``.

    Raises:
        ValueError: A path is not absolute.
    """
    for path in (command, config):
        if not path.startswith("/"):
            raise ValueError(f"systemd takes absolute paths only, not {path!r}")
    return f"""# Printed by `turnout templates systemd`. To install:
#
#   python3 -m venv /opt/turnout && /opt/turnout/bin/pip install 'turnout[gateway]'
#   install -d /etc/turnout && {command} init {config}
#   install -m 600 /dev/null /etc/turnout/environment       (the keys of providers, NAME=value a line)
#   turnout templates systemd > /etc/systemd/system/{UNIT_NAME}
#   systemctl daemon-reload && systemctl enable --now turnout
#
# `systemctl reload turnout` reads the settings anew; a file that is wrong is refused, and the old settings stay.

[Unit]
Description=Turnout, a router for language models
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
ExecStart={_quoted(command)} serve --config {_quoted(config)}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
# Answers under way may end: the gateway takes {drain_seconds} s for that, and then stops by itself.
KillSignal=SIGTERM
TimeoutStopSec={drain_seconds + 15}

# Read by systemd before it gives up its rights, so that the file may belong to root alone.
EnvironmentFile=-/etc/turnout/environment
Environment=PYTHONUNBUFFERED=1 XDG_DATA_HOME=%S
# The ledger lies in /var/lib/turnout, unless the settings name another file.
StateDirectory=turnout
StateDirectoryMode=0700
UMask=0077

DynamicUser=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def _quoted(path: str) -> str:
    # In a unit a percent sign begins a specifier, and a dollar sign a variable.
    return shlex.quote(path).replace("%", "%%").replace("$", "$$")
