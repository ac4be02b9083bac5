from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.skip_gate import covers, read_allowed

SUITE = """
    import pytest

    @pytest.mark.parametrize("size", [1, 2])
    def test_maybe(size):
        if size == 2:
            pytest.skip("no big machine")

    @pytest.mark.xfail(reason="not yet", strict=True)
    def test_expected_failure():
        assert False

    def test_runs():
        pass
"""
BOTH = """
    [[skip]]
    test = "tests/test_it.py::test_maybe[2]"
    reason = "needs a big machine"

    [[skip]]
    test = "tests/test_it.py::test_expected_failure"
    reason = "the upstream bug is not mended yet"
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A small suite with a skip and an expected failure, under the gate; the list is the test's to write."""
    pytester.makeini("[pytest]\ntestpaths = tests\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest(
        f"""
        import sys
        from pathlib import Path
        sys.path.append({str(Path(__file__).parent)!r})  # the suite's own folder of tests hides ours
        import skip_gate

        def pytest_configure(config):
            skip_gate.install(config, Path(__file__).with_name("allowed.toml"))
        """
    )
    pytester.makepyfile(**{"tests/test_it": SUITE})
    return pytester


def allow(suite: pytest.Pytester, text: str) -> None:
    lines = [line.strip() for line in text.splitlines()]
    (suite.path / "allowed.toml").write_text("\n".join(lines), encoding="utf-8")


def test_listed_skips_pass_and_are_printed(suite: pytest.Pytester) -> None:
    allow(suite, BOTH)
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["skipped: tests/test_it.py::test_maybe[[]2[]] (no big machine)"])
    result.stdout.fnmatch_lines(["skipped: tests/test_it.py::test_expected_failure (not yet)"])


def test_an_entry_for_a_file_covers_its_tests(suite: pytest.Pytester) -> None:
    allow(suite, '[[skip]]\ntest = "tests/test_it.py"\nreason = "needs a big machine"')
    assert suite.runpytest().ret == pytest.ExitCode.OK


def test_an_unlisted_skip_fails_the_run(suite: pytest.Pytester) -> None:
    allow(suite, "")
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["FAILED skipped, but not listed: tests/test_it.py::test_maybe[[]2[]] (no big machine)"]
    )
    result.stdout.fnmatch_lines(["FAILED skipped, but not listed: tests/test_it.py::test_expected_failure (not yet)"])
    assert "passed" in result.outlines[-1]  # pytest's own line stays the last


def test_a_module_that_skips_itself_counts(suite: pytest.Pytester) -> None:
    allow(suite, BOTH)
    suite.makepyfile(**{"tests/test_other": 'import pytest\npytest.importorskip("no_such_module_anywhere")'})
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED skipped, but not listed: tests/test_other.py *no_such_module_anywhere*"])


def test_an_entry_without_a_test_fails_the_whole_suite_only(suite: pytest.Pytester) -> None:
    allow(suite, BOTH + '[[skip]]\ntest = "tests/test_it.py::test_gone"\nreason = "was there once"')
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED listed, but no such test: tests/test_it.py::test_gone"])
    assert suite.runpytest("tests/test_it.py").ret == pytest.ExitCode.OK
    assert suite.runpytest("-k", "maybe").ret == pytest.ExitCode.OK


@pytest.mark.once
def test_it_holds_where_other_processes_run_the_tests(suite: pytest.Pytester) -> None:
    allow(suite, BOTH)
    result = suite.runpytest_subprocess("-n", "2")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["skipped: tests/test_it.py::test_maybe[[]2[]] (no big machine)"])
    assert "passed" in result.outlines[-1]
    allow(suite, '[[skip]]\ntest = "tests/test_it.py::test_gone"\nreason = "was there once"')
    suite.makepyfile(**{"tests/test_other": 'import pytest\npytest.importorskip("no_such_module_anywhere")'})
    result = suite.runpytest_subprocess("-n", "2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "FAILED skipped, but not listed: tests/test_it.py::test_expected_failure (not yet)",
            "FAILED skipped, but not listed: tests/test_it.py::test_maybe[[]2[]] (no big machine)",
            "FAILED skipped, but not listed: tests/test_other.py *no_such_module_anywhere*",
            "FAILED listed, but no such test: tests/test_it.py::test_gone",
        ]
    )


@pytest.mark.parametrize(
    ("entry", "test_id", "expected"),
    [
        ("a/test_b.py", "a/test_b.py::test_c", True),
        ("a/test_b.py::test_c", "a/test_b.py::test_c", True),
        ("a/test_b.py::test_c", "a/test_b.py::test_c[1]", True),
        ("a/test_b.py::test_c", "a/test_b.py::test_cd", False),
        ("a/test_b.py::test_c[1]", "a/test_b.py::test_c[2]", False),
    ],
)
def test_covers(entry: str, test_id: str, expected: bool) -> None:
    assert covers(entry, test_id) is expected


@pytest.mark.parametrize(
    "text",
    [
        '[[skip]]\ntest = "a"',
        '[[skip]]\ntest = "a"\nreason = ""',
        '[[skip]]\ntest = "a"\nreason = "b"\nuntil = "c"',
        '[[skip]]\ntest = "a"\nreason = "b"\n[[skip]]\ntest = "a"\nreason = "c"',
    ],
)
def test_a_bad_list_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "allowed.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"allowed\.toml"):
        read_allowed(path)


def test_the_list_of_this_suite_can_be_read() -> None:
    assert isinstance(read_allowed(Path(__file__).with_name("allowed_skips.toml")), dict)


def test_tests_reach_this_machine_only() -> None:
    with pytest.raises(ConnectionRefusedError, match=r"192\.0\.2\.1"), socket.socket() as client:
        client.connect(("192.0.2.1", 443))
    with pytest.raises(socket.gaierror, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_tests_have_a_home_of_their_own() -> None:
    home = Path.home()
    assert home.name.startswith("turnout-tests-")
    assert Path(os.environ["XDG_DATA_HOME"]).is_relative_to(home)
    assert not [name for name in os.environ if name.startswith(("AWS_ACCESS", "AWS_PROFILE", "OPENAI_", "LANGFUSE_"))]
