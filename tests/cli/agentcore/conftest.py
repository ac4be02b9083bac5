from __future__ import annotations

import logging
import warnings

with warnings.catch_warnings():
    # bedrock-agentcore declares a model in a way that pydantic 2 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    import bedrock_agentcore.runtime.app  # noqa: F401  # loaded here so that the warning is not raised later

# It would otherwise add one that prints every request, in a way that Python 3.12 deprecates.
logging.getLogger("bedrock_agentcore.app").addHandler(logging.NullHandler())
