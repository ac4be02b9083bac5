"""A Dockerfile for the gateway.

Known limitation: the Dockerfile is linted (hadolint) and has not been built by the project itself, which has no engine.
"""

from __future__ import annotations

import turnout

PYTHON = "3.13"
"""The newest Python that Turnout supports."""

PORT = 4141
"""Where the gateway listens unless settings say otherwise."""


def gateway_dockerfile(version: str = turnout.__version__, python: str = PYTHON, port: int = PORT) -> str:
    """The Dockerfile.

    Args:
        version: The version of Turnout to install; its wheel lies in ``dist`` beside the Dockerfile.
        python: The Python, such as ``3.13``.
        port: Where the gateway listens in the container.
    """
    return f"""# Printed by `turnout templates docker`. Linted, but not built by the project.
#
#   make release                                            (or any other way to the wheel in dist/)
#   turnout templates docker > Dockerfile
#   docker build --tag turnout:{version} .
#   docker run --env OPENAI_API_KEY --publish 127.0.0.1:{port}:{port} --stop-timeout 45 \\
#     --volume "$PWD/turnout.toml:/etc/turnout/turnout.toml:ro" --volume turnout-ledger:/var/lib/turnout \\
#     turnout:{version}
#
# In the container the gateway has to listen on all addresses for a published port to reach it, and it does so only
# with keys: see the gateway's page. Without keys use --network host and TURNOUT_GATEWAY__HOST=127.0.0.1.
FROM public.ecr.aws/docker/library/python:{python}-slim-bookworm AS build

COPY dist/*.whl /wheels/
RUN python -m venv /opt/turnout \\
    && /opt/turnout/bin/pip install --no-cache-dir --find-links /wheels "turnout[gateway]=={version}"

FROM public.ecr.aws/docker/library/python:{python}-slim-bookworm

# Nobody needs to write into the installation: it stays root's, and the process is another user.
RUN useradd --system --uid 10001 --no-create-home turnout \\
    && install --directory --owner turnout --mode 700 /var/lib/turnout \\
    && install --directory /etc/turnout
COPY --from=build /opt/turnout /opt/turnout

ENV PATH=/opt/turnout/bin:$PATH \\
    PYTHONUNBUFFERED=1 \\
    XDG_DATA_HOME=/var/lib \\
    TURNOUT_GATEWAY__HOST=0.0.0.0 \\
    TURNOUT_GATEWAY__PORT={port}

USER 10001
VOLUME /var/lib/turnout
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \\
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/healthz', timeout=2)"]

# The settings are read from /etc/turnout/turnout.toml, where a volume has to bring them; SIGHUP reads them anew.
CMD ["turnout", "serve", "--config", "/etc/turnout/turnout.toml"]
"""
