"""The LLM classifier's prompt: read from a file, and filled with a conversation so that no text in it can break out.

The query and the turns before it are fenced by tags, and inside them ``&``, ``<`` and ``>`` are written as entities: no
text can close its tag, open another, or spell a chat template's control tokens. The same conversation always gives the
same prompt.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import tomllib

import msgspec

from turnout.classify.examples import LabelledExample
from turnout.classify.query import readable, turns_before_query
from turnout.messages.conversation import Conversation

_TURN_SHARE = 4  # a turn before the query gets at most a quarter of the query's room


class PromptError(ValueError):
    """A prompt file that cannot be used; the message names file and key."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    system: str
    question: str
    examples: tuple[LabelledExample, ...] = ()


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """What the model is told.

    Attributes:
        system: Criteria and examples.
        question: Asked after the query, outside its fence.
        examples: Those in ``system``, so that a test can see that none is in a measured set.
    """

    system: str
    question: str
    examples: tuple[LabelledExample, ...] = ()

    @property
    def sha256(self) -> str:
        """Identifies the wording: a calibration holds for one wording only."""
        return hashlib.sha256(msgspec.json.encode((self.system, self.question))).hexdigest()

    def user_text(self, conversation: Conversation, *, prior_turns: int, most_chars: int) -> str:
        """The user message for a conversation.

        Args:
            conversation: Its query must not be empty.
            prior_turns: How many turns before the query are shown.
            most_chars: Room for the query; what is longer is cut to its head and tail. Each message before it gets a
                quarter of that.
        """
        parts = []
        before = turns_before_query(conversation, prior_turns)
        if before:
            said = "\n".join(f"<{role}>{fenced(text, most_chars // _TURN_SHARE)}</{role}>" for role, text in before)
            parts.append(f"<before>\n{said}\n</before>")
        parts.append(f"<query>{fenced(conversation.query, most_chars)}</query>")
        parts.append(self.question)
        return "\n".join(parts)


def fenced(text: str, most_chars: int) -> str:
    """Text that can stand between tags: cut to length, with ``&``, ``<`` and ``>`` written as entities."""
    return readable(text.strip(), most_chars).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def load_prompt(path: str | os.PathLike[str] | None = None) -> Prompt:
    """Read a prompt file; without a path the packaged one.

    Raises:
        PromptError: The file cannot be read, is no TOML, or has a key or value that does not fit.
    """
    if path is None:
        where = "llm_prompt.toml"
        data = importlib.resources.files("turnout.classify").joinpath("data", where).read_bytes()
    else:
        where = os.fspath(path)
        try:
            with open(path, "rb") as opened:
                data = opened.read()
        except OSError as error:
            raise PromptError(f"cannot read the prompt {where!r}: {error.strerror}") from error
    try:
        file = msgspec.convert(tomllib.loads(data.decode()), _File)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise PromptError(f"{where}: {error}") from error
    for key, text in (("system", file.system), ("question", file.question)):
        if not text.strip():
            raise PromptError(f"{where}: {key} is empty")
    lines = [f"<query>{fenced(example.text, 1000)}</query> {example.label}" for example in file.examples]
    return Prompt(
        system="\n".join([file.system.strip(), *lines]),
        question=file.question.strip(),
        examples=file.examples,
    )
