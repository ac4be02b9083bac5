"""The AgentCore door: a Strands agent as an Amazon Bedrock AgentCore Runtime HTTP service.

`create_app` gives an ASGI app with ``POST /invocations`` (JSON, or server-sent events when asked for) and ``GET /ping``
over an `AgentService`, which keeps one conversation a session. `load_agent` finds an agent by ``module:attribute``,
`serve` runs an app until the process is told to stop. Needs the extras ``agentcore`` and ``strands``.
"""

from turnout.doors.agentcore.agents import AgentFactory, AgentSource, FromFactory, SharedAgent
from turnout.doors.agentcore.app import create_app
from turnout.doors.agentcore.loading import AgentLoadError, load_agent
from turnout.doors.agentcore.log import TurnLog
from turnout.doors.agentcore.payload import PayloadError, read_prompt
from turnout.doors.agentcore.server import ListenError, listen, serve
from turnout.doors.agentcore.service import AgentService
from turnout.doors.agentcore.sessions import Limits

__all__ = [
    "AgentFactory",
    "AgentLoadError",
    "AgentService",
    "AgentSource",
    "FromFactory",
    "Limits",
    "ListenError",
    "PayloadError",
    "SharedAgent",
    "TurnLog",
    "create_app",
    "listen",
    "load_agent",
    "read_prompt",
    "serve",
]
