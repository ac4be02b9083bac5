from __future__ import annotations

import signal
import socket
import subprocess
import sys

import boto3
import pytest

from turnout.testing.bedrock.__main__ import main


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", "turnout.testing.bedrock", "--port", "0", "--region", "eu-west-1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        url = second.strip().rpartition("=")[2]
        assert first == f"simulated Bedrock (eu-west-1) on {url}; any credentials will do\n"
        assert second == f"export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={url}\n"
        client = boto3.Session("any", "any", region_name="eu-west-1").client("bedrock-runtime", endpoint_url=url)
        messages = [{"role": "user", "content": [{"text": "Hello"}]}]
        model = "global.anthropic.claude-sonnet-4-6"
        assert client.converse(modelId=model, messages=messages)["stopReason"] == "end_turn"
        client.close()
        process.send_signal(number)
        try:
            rest, errors = process.communicate(timeout=20)
        finally:
            process.kill()  # no wait without an end, should the signal be ignored
    assert (process.returncode, rest, errors) == (0, "stopped\n", "")


def test_help_names_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "A simulated Amazon Bedrock Runtime on 127.0.0.1" in shown
    assert "anthropic.claude-opus-5-5" in shown


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_bad_port(capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([f"--port={port}"])
    assert caught.value.code == 2
    assert "is no port; give a number from 0 to 65535" in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    assert capsys.readouterr().err == f"cannot listen on 127.0.0.1:{port}: Address already in use; try --port 0\n"
    assert signal.getsignal(signal.SIGTERM) is before
