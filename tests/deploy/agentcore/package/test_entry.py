import ast

import pytest

from turnout.deploy.agentcore.package.entry import entry_file


@pytest.mark.parametrize(
    ("app", "pair", "arguments"),
    [
        ("v4", None, ["--version", "v4"]),
        ("v3", "5.5", ["--version", "v3", "--pair", "5.5"]),
        ("shop.agents:agent", None, ["--agent", "shop.agents:agent"]),
    ],
)
def test_it_serves_the_app_where_agentcore_calls_it(app: str, pair: str | None, arguments: list[str]) -> None:
    text = entry_file(app, pair)
    lists = [ast.literal_eval(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.List)]
    [given] = lists
    assert given[:2] == ["agentcore", "app"]
    assert [one for one in given[2:-5] if one != "--live"] == arguments
    assert given[-5:] == ["--host", "0.0.0.0", "--port", "8080", "--expose"]


def test_turnouts_settings_are_read_after_the_secrets() -> None:
    text = entry_file("v4")
    assert text.index("load_secrets(os.environ)") < text.index("from turnout.cli.app import call")


def test_importing_it_starts_nothing() -> None:
    names = {"__name__": "agentcore_main", "__file__": __file__}
    import os

    before = os.getcwd()
    try:
        exec(compile(entry_file("v4"), "agentcore_main.py", "exec"), names)
    finally:
        os.chdir(before)
        os.environ.pop("OTEL_SEMCONV_STABILITY_OPT_IN", None)
