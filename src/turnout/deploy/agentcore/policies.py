"""The policies of the two roles: no right more than the agent and its build use.

Sources: the AgentCore developer guide, "IAM permissions for AgentCore Runtime" (execution role and trust policy); the
Bedrock user guide on geographic and global cross-Region inference (profile, foundation models, condition on the
profile); the CodeBuild user guide, "Create a CodeBuild service role". Read in stored copies, 2026-11-23.

Known limitation: a policy that is well formed need not be enough; only a call from an account shows that.
"""

from __future__ import annotations

from typing import Any

from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.names import Names
from turnout.deploy.agentcore.wanted import Place, Wanted

Document = dict[str, Any]

_INVOKE = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
# The profiles whose foundation models are in regions of one geography.
_GEOGRAPHIES = ("us", "eu", "jp", "au", "apac", "us-gov", "ca", "sa")


def run_trust(place: Place) -> Document:
    """Who may take the execution role: AgentCore, for this account's resources in this region."""
    return _document(
        {
            "Sid": "AgentCoreRuns",
            "Effect": "Allow",
            "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": place.account},
                "ArnLike": {"aws:SourceArn": _arn(place, "bedrock-agentcore", "*")},
            },
        }
    )


def run_policy(wanted: Wanted) -> Document:
    """What the agent may do: call its models, write its logs, traces and metrics, read its secrets, pull its image.

    Raises:
        DeployError: A model's id names no inference profile.
    """
    place = wanted.place
    groups = _arn(place, "logs", "log-group:/aws/bedrock-agentcore/runtimes/*")
    statements: list[Document] = []
    for number, model in enumerate(wanted.models, 1):
        statements += _model(model, place, number)
    statements += [
        _allow("LogGroups", ["logs:CreateLogGroup", "logs:DescribeLogStreams"], groups),
        _allow("LogGroupNames", ["logs:DescribeLogGroups"], _arn(place, "logs", "log-group:*")),
        _allow("LogLines", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{groups}:log-stream:*"),
        # X-Ray and CloudWatch metrics know no resources; metrics are held to AgentCore's namespace.
        _allow(
            "Traces",
            [
                "xray:PutTraceSegments",
                "xray:PutTelemetryRecords",
                "xray:GetSamplingRules",
                "xray:GetSamplingTargets",
            ],
            "*",
        ),
        {
            **_allow("Metrics", ["cloudwatch:PutMetricData"], "*"),
            "Condition": {"StringEquals": {"cloudwatch:namespace": "bedrock-agentcore"}},
        },
    ]
    if wanted.kind == "container":
        statements += _pull(wanted)
    if wanted.secrets:
        arns = sorted({reference.partition("#")[0] for _, reference in wanted.secrets})
        statements.append(_allow("Secrets", ["secretsmanager:GetSecretValue"], *arns))
    if wanted.knowledge_base is not None:
        resource = _arn(place, "bedrock", f"knowledge-base/{wanted.knowledge_base}")
        statements.append(_allow("KnowledgeBase", ["bedrock:Retrieve"], resource))
    return _document(*statements)


def build_trust(place: Place) -> Document:
    """Who may take the build's role: CodeBuild, for this account's projects in this region."""
    return _document(
        {
            "Sid": "CodeBuildBuilds",
            "Effect": "Allow",
            "Principal": {"Service": "codebuild.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": place.account},
                "ArnLike": {"aws:SourceArn": _arn(place, "codebuild", "*")},
            },
        }
    )


def build_policy(wanted: Wanted, names: Names) -> Document:
    """What the build may do: read its source, push to its repository, write its log."""
    place = wanted.place
    source = f"arn:{place.partition}:s3:::{wanted.bucket or names.bucket}/{names.key_prefix}*"
    group = _arn(place, "logs", f"log-group:{names.build_log_group}")
    push = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ]
    return _document(
        _allow("Source", ["s3:GetObject", "s3:GetObjectVersion"], source),
        _allow("EcrLogin", ["ecr:GetAuthorizationToken"], "*"),
        _allow("EcrPush", push, names.repository_arn),
        _allow("Log", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], group, f"{group}:*"),
    )


def _model(model_id: str, place: Place, number: int) -> list[Document]:
    """The right to one model through its inference profile, and through nothing else.

    A request to a profile is checked twice: against the profile, and against the foundation model in the region that it
    is sent to. The second right stands under the condition that the request came by that profile, which holds it to the
    profile's regions. A request to a global profile is checked without a region.
    """
    profile, _, model = model_id.partition(".")
    if profile not in (*_GEOGRAPHIES, "global"):
        raise DeployError(
            f"the model {model_id!r} names no inference profile: put one before it, such as global.{model_id}"
        )
    arn = _arn(place, "bedrock", f"inference-profile/{model_id}")
    regions = (place.region, "") if profile == "global" else ("*",)
    models = [f"arn:{place.partition}:bedrock:{region}::foundation-model/{model}" for region in regions]
    return [
        _allow(f"Profile{number}", _INVOKE, arn),
        {
            **_allow(f"Model{number}", _INVOKE, *models),
            # Not ArnEquals, which takes an ARN apart at its colons: ids of models hold colons too.
            "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": arn}},
        },
    ]


def _pull(wanted: Wanted) -> list[Document]:
    names = Names(wanted.name, wanted.place)
    repository = names.repository_arn
    if wanted.image is not None:
        host, _, path = wanted.image.partition("/")
        if host == "public.ecr.aws":
            return []
        account, _, _, region = host.split(".")[:4]
        repository = (
            f"arn:{wanted.place.partition}:ecr:{region}:{account}:repository/{path.partition('@')[0].partition(':')[0]}"
        )
    return [
        _allow("EcrLogin", ["ecr:GetAuthorizationToken"], "*"),
        _allow("EcrPull", ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], repository),
    ]


def _allow(sid: str, actions: list[str], *resources: str) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _arn(place: Place, service: str, resource: str) -> str:
    return f"arn:{place.partition}:{service}:{place.region}:{place.account}:{resource}"
