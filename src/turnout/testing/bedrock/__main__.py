"""Run the double by hand: ``python -m turnout.testing.bedrock --port 8400``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from turnout.testing.bedrock.double import BedrockDouble
from turnout.testing.bedrock.models import MODELS


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m turnout.testing.bedrock",
        description="A simulated Amazon Bedrock Runtime on 127.0.0.1 (Converse, ConverseStream, CountTokens). No model "
        "answers here: it has no rules for tools, greets, and fills JSON schemas. Stop it with Ctrl-C.",
        epilog=f"Simulated models: {', '.join(model.id for model in MODELS)}, with an inference profile before the id, "
        "such as global. or us.",
    )
    parser.add_argument(
        "--port", type=_port, default=8400, help="port on 127.0.0.1; 0 for any free one (default: 8400)"
    )
    parser.add_argument("--region", default="us-east-1", help="region that it stands for (default: us-east-1)")
    options = parser.parse_args(arguments)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with BedrockDouble(port=options.port, region=options.region) as double:
            print(f"simulated Bedrock ({double.region}) on {double.url}; any credentials will do", flush=True)
            print(f"export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={double.url}", flush=True)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        return 0
    except OSError as error:
        print(f"cannot listen on 127.0.0.1:{options.port}: {error.strerror}; try --port 0", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
