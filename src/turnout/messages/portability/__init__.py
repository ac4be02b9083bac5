"""History that survives a switch: what another model is sent of a conversation, and whether it may be asked at all.

`carry` makes of a history what a target takes, under named edits, or refuses; `safe_to_switch` says whether a
conversation may go to another model, with a reason; `Switches` says that of several. All are pure, over Converse
content blocks and catalog entries, for every pair of Claude on Bedrock, Claude on Anthropic's API, and
OpenAI-compatible models.
"""

from turnout.messages.portability.carrying import Carried, carry
from turnout.messages.portability.markers import MarkersMode
from turnout.messages.portability.protocols import Protocol, protocol_of
from turnout.messages.portability.safety import Switches, SwitchReason, SwitchSafety, safe_to_switch

__all__ = [
    "Carried",
    "MarkersMode",
    "Protocol",
    "SwitchReason",
    "SwitchSafety",
    "Switches",
    "carry",
    "protocol_of",
    "safe_to_switch",
]
