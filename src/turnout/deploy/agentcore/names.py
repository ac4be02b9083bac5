"""What the parts of a deployment are called, and the tags that say who made them.

Every name follows from the runtime's name, the account and the region, so that a second run finds what the first one
made, and so that ARNs are known before anything is there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from turnout.deploy.agentcore.wanted import Place

MADE_BY_KEY = "turnout:made-by"
MADE_BY = "turnout-agentcore-deploy"
AGENT_KEY = "turnout:agent"

POLICY_NAME = "turnout"
"""The inline policy of the roles that are made."""


class Names:
    """The names of one deployment.

    Attributes:
        agent: The runtime's name.
        place: Where it is.
    """

    def __init__(self, agent: str, place: Place) -> None:
        self.agent = agent
        self.place = place
        digest = hashlib.sha256(f"{agent}@{place.account}@{place.region}".encode()).hexdigest()[:8]
        slug = re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-")
        self._slug = f"{slug[:20].strip('-')}-{digest}"
        self._digest = digest

    @property
    def tags(self) -> dict[str, str]:
        """What everything that is made carries."""
        return {MADE_BY_KEY: MADE_BY, AGENT_KEY: self.agent}

    def ours(self, tags: Mapping[str, str]) -> bool:
        """Whether these tags say that it was made for this agent."""
        return all(tags.get(key) == value for key, value in self.tags.items())

    @property
    def role(self) -> str:
        """The execution role; at most 64 characters, IAM's limit."""
        return f"turnout-run-{self.place.region}-{self._slug}"

    @property
    def build_role(self) -> str:
        """CodeBuild's role."""
        return f"turnout-build-{self.place.region}-{self._slug}"

    def role_arn(self, role: str) -> str:
        """The ARN of a role of the account."""
        return f"arn:{self.place.partition}:iam::{self.place.account}:role/{role}"

    @property
    def bucket(self) -> str:
        """The bucket; at most 63 characters, and of one account, region and agent."""
        return f"turnout-agentcore-{self.place.account}-{self.place.region}-{self._digest}"

    def key(self, sha256: str) -> str:
        """Where a package lies in the bucket: what it holds is in its name."""
        return f"{self.key_prefix}{sha256}.zip"

    @property
    def key_prefix(self) -> str:
        """What the keys of all packages of this agent begin with."""
        return f"turnout-agentcore/{self.agent}/"

    @property
    def repository(self) -> str:
        """The ECR repository."""
        return f"turnout-agentcore/{self._slug}"

    @property
    def repository_arn(self) -> str:
        """Its ARN."""
        return f"arn:{self.place.partition}:ecr:{self.place.region}:{self.place.account}:repository/{self.repository}"

    def image(self, sha256: str) -> str:
        """The image of a package."""
        suffix = ".cn" if self.place.partition == "aws-cn" else ""
        host = f"{self.place.account}.dkr.ecr.{self.place.region}.amazonaws.com{suffix}"
        return f"{host}/{self.repository}:{image_tag(sha256)}"

    @property
    def project(self) -> str:
        """The CodeBuild project."""
        return f"turnout-agentcore-{self._slug}"

    @property
    def build_log_group(self) -> str:
        """Where CodeBuild writes; made by CodeBuild."""
        return f"/aws/codebuild/{self.project}"


def image_tag(sha256: str) -> str:
    """The tag of the image of a package."""
    return sha256[:16]


def log_group(runtime_id: str, endpoint: str = "DEFAULT") -> str:
    """Where AgentCore writes what the process prints; made by AgentCore."""
    return f"/aws/bedrock-agentcore/runtimes/{runtime_id}-{endpoint}"
