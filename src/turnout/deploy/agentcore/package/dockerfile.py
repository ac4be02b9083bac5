"""The Dockerfile and the build specification: an image of the very files that the zip holds.

Dependencies were installed by uv and checked already, so that the build installs nothing and needs no index.

Known limitation: the Dockerfile is linted (hadolint) and has not been built by the project itself, which has no engine.
"""

from __future__ import annotations

from turnout.deploy.agentcore.package.entry import ENTRY_NAME, PORT

DOCKERFILE_NAME = "Dockerfile"
BUILDSPEC_NAME = "buildspec.yml"
IGNORE_NAME = ".dockerignore"


def dockerfile(python: str) -> str:
    """The Dockerfile.

    Args:
        python: The Python, such as ``3.12``.
    """
    return f"""# Written by `turnout agentcore deploy`; build it for linux/arm64, the only platform that AgentCore runs.
FROM public.ecr.aws/docker/library/python:{python}-slim-bookworm

WORKDIR /app

# Nobody needs to write here: the files stay root's, and the process is another user.
COPY . /app
RUN useradd --create-home --uid 10001 agent

ENV PYTHONUNBUFFERED=1 \\
    PYTHONPATH=/app \\
    DOCKER_CONTAINER=1

USER 10001
EXPOSE {PORT}

# Not "opentelemetry-instrument python ...", as generated Dockerfiles for AgentCore have it: that wrapper sets the
# global tracer provider before the program starts. OpenTelemetry lets it be set once only, so that Turnout's own, which
# sends to Langfuse, would be ignored, and every span would go to CloudWatch.
CMD ["python", "{ENTRY_NAME}"]
"""


def dockerignore() -> str:
    """What is not part of the image."""
    return f"{DOCKERFILE_NAME}\n{BUILDSPEC_NAME}\n{IGNORE_NAME}\n"


def buildspec() -> str:
    """What CodeBuild does; ``IMAGE`` and ``REGISTRY`` are variables of the project."""
    return """version: 0.2
phases:
  pre_build:
    commands:
      - >-
        aws ecr get-login-password --region "$AWS_DEFAULT_REGION" |
        docker login --username AWS --password-stdin "$REGISTRY"
  build:
    commands:
      - docker build --platform linux/arm64 --tag "$IMAGE" .
  post_build:
    commands:
      # post_build runs after a failed build too.
      - test "$CODEBUILD_BUILD_SUCCEEDING" = 1
      - docker push "$IMAGE"
"""
