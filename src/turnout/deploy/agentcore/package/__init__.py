"""The package that AgentCore runs: the project's code, Turnout and all dependencies, for Linux on arm64.

`build` puts it together: `sources` copies, `recipe` installs with uv, `check` refuses what AgentCore could not run,
`archive` writes the same zip for the same input. A container is built from the same files, see `dockerfile`.
"""
