"""One block at a time: what becomes of text, media, reasoning, citations and tool results on the way to a target.

A block comes out as it went in, changed under a name, left out under a name, or refused. Nothing else happens to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from turnout.core.catalog import Model
from turnout.messages.conversation import Block
from turnout.messages.portability.draft import Draft, Item
from turnout.messages.portability.protocols import TOOL_NAME, Protocol, Rules
from turnout.messages.portability.thinking import is_foreign, keeps_earlier_thinking, kind_of_reasoning, reads_thinking

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z\s\-()\[\]]")
_TEXT_DOCUMENTS = frozenset({"csv", "html", "md", "txt"})
_ERROR_PREFIX = "The tool reported an error."


class BlockCarrier:
    """Carries the blocks of one history to one target.

    Args:
        draft: Takes changes and refusals.
        rules: Those of the target's protocol.
        source: Who wrote the history; none: not known.
        target: Who reads it next.
        protocol: The target's.
    """

    def __init__(self, draft: Draft, rules: Rules, source: Model | None, target: Model, protocol: Protocol) -> None:
        self._draft = draft
        self._rules = rules
        self._source = source
        self._target = target
        self._protocol = protocol

    def system(self, item: Item) -> None:
        """Carry a block of the system."""
        block = item.original
        if "guardContent" in block and not self._rules.guard_content:
            self._draft.refuse(item.path)
        elif "text" in block and not self._rules.blank_text and not block["text"].strip():
            self._draft.leave_out(item, "drop_blank_text")

    def block(self, item: Item, role: str, *, open_turn: bool) -> None:
        """Carry a block of a message; ``open_turn`` where the message belongs to a turn that is in its tool loop."""
        block = item.original
        if "reasoningContent" in block:
            self._reasoning(item, role, open_turn)
        elif "text" in block:
            if not self._rules.blank_text and not block["text"].strip():
                self._draft.leave_out(item, "drop_blank_text")
        elif "toolUse" in block:
            self._tool_use(item, role, open_turn)
        elif "toolResult" in block:
            self._tool_result(item, role)
        elif "citationsContent" in block:
            self._citations(item, role)
        elif "guardContent" in block:
            if not self._rules.guard_content:
                self._draft.refuse(item.path)
        elif role == "user":
            item.block = self._media(block, item.path)
        else:
            # No protocol here takes media in an assistant's message.
            self._draft.refuse(item.path)

    def _reasoning(self, item: Item, role: str, open_turn: bool) -> None:
        kind = kind_of_reasoning(item.original)
        if role != "assistant":
            self._draft.refuse(item.path)
        elif kind == "unsigned":
            # Anthropic refuses it, and Chat Completions has no place for it: nobody takes it back, its author neither.
            self._draft.leave_out(item, "drop_unsigned_reasoning")
        else:
            self._bound(item, kind, open_turn)

    def _bound(self, item: Item, kind: str, open_turn: bool) -> None:
        """Reasoning that is signed or encrypted."""
        source, target = self._source, self._target
        own = source is not None and source.id == target.id
        foreign = is_foreign(kind, source)
        read = own or source is None or (not foreign and reads_thinking(target, source))
        sent = not foreign and self._protocol.claude
        if open_turn and (not read or not (sent or own)):
            self._draft.refuse(item.path)
            return
        if not own and source is not None and not read and (foreign or keeps_earlier_thinking(source)):
            self._draft.lost.append(item.path)
        if not sent:
            self._draft.leave_out(item, "drop_thinking")

    def _tool_use(self, item: Item, role: str, open_turn: bool) -> None:
        use = item.original["toolUse"]
        fits = isinstance(use.get("input"), Mapping) and TOOL_NAME.fullmatch(use.get("name", ""))
        if role != "assistant" or use.get("type") or not fits or not self._target.capabilities.tools:
            self._draft.refuse(item.path)
        elif use.get("reasoningSignature") and not (self._source and self._source.id == self._target.id):
            if open_turn:
                self._draft.refuse(item.path)
                return
            self._draft.lost.append(item.path)
            item.block = {"toolUse": {key: value for key, value in use.items() if key != "reasoningSignature"}}
            self._draft.edit("drop_thinking", item.path)

    def _tool_result(self, item: Item, role: str) -> None:
        result = item.original["toolResult"]
        if role != "user" or result.get("type"):
            self._draft.refuse(item.path)
            return
        content: list[Block] = []
        for index, part in enumerate(result.get("content") or ()):
            carried = self._result_part(part, f"{item.path}.toolResult.content.{index}")
            if carried is not None:
                content.append(carried)
        changed: dict[str, Any] = dict(result)
        if len(content) != len(result.get("content") or ()) or any(
            new is not old for new, old in zip(content, result.get("content") or (), strict=False)
        ):
            changed["content"] = content
        if self._rules.result_status == "required" and "status" not in result:
            changed["status"] = "success"
            self._draft.edit("tool_result_status", item.path)
        if self._rules.result_status == "none" and result.get("status") == "error":
            del changed["status"]
            changed["content"] = [{"text": _ERROR_PREFIX}, *changed["content"]]
            self._draft.edit("tool_error_as_text", item.path)
        if changed != result:
            item.block = {"toolResult": changed}

    def _result_part(self, part: Block, path: str) -> Block | None:
        if "text" in part:
            if self._rules.blank_text or part["text"].strip():
                return part
            self._draft.edit("drop_blank_text", path)
            return None
        if "json" in part:
            if not self._rules.json_results or isinstance(part["json"], Mapping):
                return part
            self._draft.edit("tool_json_as_text", path)
            return {"text": json.dumps(part["json"], ensure_ascii=False)}
        if next(iter(part), "") in self._rules.result_media:
            return self._media(part, path)
        self._draft.refuse(path)
        return part

    def _citations(self, item: Item, role: str) -> None:
        if self._rules.citations and role == "assistant":
            return
        texts = [part["text"] for part in item.original["citationsContent"].get("content") or () if "text" in part]
        text = "".join(texts)
        if role != "assistant" or not (text.strip() or self._rules.blank_text):
            self._draft.refuse(item.path)
            return
        item.block = {"text": text}
        self._draft.edit("citations_as_text", item.path)

    def _media(self, block: Block, path: str) -> Block:
        if "image" in block:
            return self._image(block, path)
        if "document" in block:
            return self._document(block, path)
        self._draft.refuse(path)
        return block

    def _image(self, block: Block, path: str) -> Block:
        image = block["image"]
        if self._rules.image_urls and self._target.capabilities.vision and _is_url(image):
            return block
        image_format = image.get("format")
        if image_format == "jpg" and "jpg" not in self._rules.image_formats:
            image_format = "jpeg"
        if (
            image_format not in self._rules.image_formats
            or not self._target.capabilities.vision
            or not self._has_bytes(image)
        ):
            self._draft.refuse(path)
            return block
        if image_format == image["format"]:
            return block
        self._draft.edit("image_format", path)
        return {"image": {**image, "format": image_format}}

    def _document(self, block: Block, path: str) -> Block:
        document: dict[str, Any] = dict(block["document"])
        rules = self._rules
        source = document.get("source") or {}
        if "text" in source and "bytes" not in source:
            # Strands sends bytes alone, wherever they go.
            document |= {"source": {"bytes": source["text"].encode()}, "format": document.get("format", "txt")}
            self._draft.edit("document_source", path)
        cites = (document.get("citations") or {}).get("enabled") or document.get("context")
        file_format = document.get("format")
        if (
            not self._target.capabilities.documents
            or file_format not in rules.document_formats
            or (cites and not rules.citations)
            or not self._has_bytes(document)
            or not self._is_text_where_it_must_be(document, file_format)
        ):
            self._draft.refuse(path)
            return block
        name = self._document_name(document.get("name") or "")
        if name != document.get("name"):
            document["name"] = name
            self._draft.edit("document_name", path)
        return block if document == block["document"] else {"document": document}

    def _document_name(self, name: str) -> str:
        if self._rules.plain_document_names:
            name = " ".join(_NOT_IN_NAMES.sub("-", name).split())[:200].strip()
        return name or "document"

    def _has_bytes(self, media: Mapping[str, Any]) -> bool:
        source = media.get("source") or {}
        if isinstance(source.get("bytes"), bytes):
            return bool(source["bytes"])
        location = source.get("location") or {}
        return self._rules.locations and ("s3Location" in source or location.get("type") == "s3")

    def _is_text_where_it_must_be(self, document: Mapping[str, Any], file_format: Any) -> bool:
        """Anthropic takes these formats as text, which their bytes must then be."""
        if self._protocol is not Protocol.ANTHROPIC_CLAUDE or file_format not in _TEXT_DOCUMENTS:
            return True
        try:
            document["source"]["bytes"].decode()
        except UnicodeDecodeError:
            return False
        return True


def _is_url(image: Mapping[str, Any]) -> bool:
    """Whether an image is named by a URL that a provider would fetch."""
    location = (image.get("source") or {}).get("location") or {}
    return location.get("type") == "url" and str(location.get("uri", "")).startswith("https://")
