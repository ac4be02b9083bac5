"""SmolLM2-135M-Instruct in this process, by llama.cpp through ``xllamacpp``.

It generates text and scores words. Decoding is greedy, so the same prompt gives the same text on the same machine.

``xllamacpp`` always opens an HTTP server beside its in-process calls, which Turnout does not use. Here that server
listens on a Unix socket in a folder that only the user can enter (on Windows, and where that folder's path is too long,
on a loopback port), and asks for a random key. ``loopback=True`` opens a loopback port for
OpenAI-compatible clients, behind the same key. ``/health`` and the list of models are open to anyone who reaches the
server: they hold no prompt.

Known limitations: a model of 135 million parameters is poor at answering, cannot use tools and has no use for their
results; one call runs at a time; a call that has begun to read its prompt can only be stopped at its first token.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import secrets
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import msgspec

from turnout.config.extras import require
from turnout.core.usage import Usage
from turnout.upstream.local.weights import SMOLLM2_WEIGHTS, verified

SMOLLM2_ID = "local/smollm2-135m-instruct"
"""Its id in the catalog."""

CONTEXT_TOKENS = 4096
"""Prompt and output together, where nothing else is asked for; the model was trained on 8,192."""

FinishReason = Literal["stop", "length", "cancelled"]
"""Why generation ended: the model was done, the limit was reached, or the caller wanted no more."""

_SEED = 1
_WORD_BIAS = 60.0  # far above the range of logits, so that only the words that are scored are left
_PROMPT_CACHE_MIB = 256
_LONGEST_SOCKET_PATH = 103  # bytes, on macOS; Linux has room for 107


class LocalModelError(RuntimeError):
    """The local model could not be loaded or refused a call; the message never holds prompt text."""


class PromptTooLongError(LocalModelError):
    """A prompt is longer than the model's context."""


class ChatMessage(msgspec.Struct, frozen=True):
    """A message as the model sees it."""

    role: Literal["system", "user", "assistant"]
    text: str


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a generation: all of its text, the runtime's token counts, and why it ended.

    Where the caller stopped it, the runtime reports no counts: then ``usage`` holds no more than the number of pieces
    that were generated, as output.
    """

    text: str
    usage: Usage
    finish_reason: FinishReason


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """For each word the logarithm of its probability among the words that were scored; and the call's tokens."""

    logprobs: dict[str, float]
    usage: Usage


class SmolLM:
    """The loaded model. Its methods may be called from any thread; calls wait for each other.

    Args:
        path: The GGUF file.
        context_tokens: Room for prompt and output together.
        threads: For computing; none: half of the CPUs that the process may use, at most 4.
        loopback: Whether its HTTP server is to listen on a loopback port.

    Raises:
        MissingExtraError: The extra ``local`` is not installed.
        LocalModelError: The file is no model that the runtime can load.
    """

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int = CONTEXT_TOKENS,
        threads: int | None = None,
        loopback: bool = False,
    ) -> None:
        xllamacpp = require("xllamacpp", extra="local")
        self.api_key = secrets.token_urlsafe(32)
        self.context_tokens = context_tokens
        self._lock = threading.Lock()
        # One thread of its own: waiting calls do not fill up the event loop's shared pool.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="smollm")
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context_tokens
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads or _default_threads()
        params.cache_ram_mib = _PROMPT_CACHE_MIB
        params.warmup = False
        params.verbosity = -1  # llama.cpp writes nothing to the process's own stdout and stderr
        params.api_keys = [self.api_key]
        params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
        params.ui = False
        self._remove_folder: Callable[[], object] | None = None
        if not loopback and sys.platform != "win32":
            folder = tempfile.mkdtemp(prefix="turnout-")  # made with mode 0700
            self._remove_folder = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            socket = os.path.join(folder, "llama.sock")
            if len(os.fsencode(socket)) <= _LONGEST_SOCKET_PATH:
                params.hostnames = [socket]
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as error:
            raise LocalModelError(f"llama.cpp cannot load the model {path}: {error}") from error

    @property
    def address(self) -> str:
        """Where its HTTP server listens: ``http://127.0.0.1:port``, or ``unix://`` and a path."""
        return str(self._open().listening_address)

    def close(self) -> None:
        """Give memory, socket and thread back; the model can do nothing afterwards. A second time does nothing."""
        self._executor.shutdown()
        with self._lock:
            self._server = None
        if self._remove_folder is not None:
            self._remove_folder()

    def generate(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int,
        on_text: Callable[[str], bool] | None = None,
        json_schema: dict[str, Any] | None = None,
    ) -> Generated:
        """Answer a chat, greedily.

        Args:
            messages: System, user and assistant texts. Control tokens in them are taken as plain text.
            max_tokens: The most tokens of output.
            on_text: Given each piece of text as it comes; returns whether to stop.
            json_schema: Restricts the output to JSON of that schema.

        Raises:
            PromptTooLongError: The prompt does not fit the context.
            LocalModelError: The runtime refused the call.
            ValueError: ``max_tokens`` is below 1.
        """
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
        request = {
            "prompt": chat_prompt(messages),
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "seed": _SEED,
            "cache_prompt": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if json_schema is not None:
            request["json_schema"] = json_schema
        pieces: list[str] = []
        reports: list[dict[str, Any]] = []
        stopped = False

        def on_chunk(chunk: dict[str, Any]) -> bool:
            nonlocal stopped
            choices = chunk.get("choices")
            if not choices or chunk.get("usage"):
                reports.append(chunk)
            piece = choices[0].get("text", "") if choices else ""
            if piece:
                pieces.append(piece)
                stopped = on_text is not None and on_text(piece)
            return stopped

        with self._lock:
            self._open().handle_completions(request, on_chunk)
        if stopped:
            return Generated(text="".join(pieces), usage=Usage(output_tokens=len(pieces)), finish_reason="cancelled")
        end = _ok(reports[-1] if reports else None)
        reason: FinishReason = "length" if end["choices"][0].get("finish_reason") == "length" else "stop"
        return Generated(text="".join(pieces), usage=Usage.from_openai(end["usage"]), finish_reason=reason)

    def score(self, messages: Sequence[ChatMessage], words: Sequence[str], *, lead: str = "") -> Scored:
        """How likely each of a few words is as the next one of the answer, among those words.

        Args:
            messages: The chat so far.
            words: At least two; each must be one token of the model after ``lead``, as " simple" and " complex" are.
            lead: How the answer begins, such as "Answer:".

        Raises:
            PromptTooLongError: The prompt does not fit the context.
            LocalModelError: A word is not one token, or the runtime refused the call.
        """
        if len(set(words)) < 2:
            raise ValueError(f"at least two different words are needed, got {list(words)}")
        request = {
            "prompt": chat_prompt(messages) + _plain(lead),
            "max_tokens": 1,
            "cache_prompt": True,
            "seed": _SEED,
            # All else is pushed out of reach and nothing is sampled away, so that what is left is the distribution
            # over the words alone, at the model's own temperature.
            "logit_bias": [[word, _WORD_BIAS] for word in words],
            "samplers": ["temperature"],
            "temperature": 1.0,
            "n_probs": len(words),
            "post_sampling_probs": True,
        }
        with self._lock:
            answer = _ok(self._open().handle_completions(request))
        (place,) = answer["choices"][0]["logprobs"]["content"]
        found = {entry["token"]: float(entry["prob"]) for entry in place["top_probs"]}
        missing = [word for word in words if word not in found]
        if missing:
            raise LocalModelError(f"not a single token of the model: {', '.join(map(repr, missing))}")
        smallest = sys.float_info.min
        logprobs = {word: math.log(max(found[word], smallest)) for word in words}
        return Scored(logprobs=logprobs, usage=Usage.from_openai(answer["usage"]))

    def _open(self) -> Any:
        if self._server is None:
            raise LocalModelError("the local model was closed")
        return self._server

    async def score_async(self, messages: Sequence[ChatMessage], words: Sequence[str], *, lead: str = "") -> Scored:
        """`score`, in the model's own thread; cancelled while it waits, it never runs."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: self.score(messages, words, lead=lead))

    async def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int,
        json_schema: dict[str, Any] | None = None,
    ) -> AsyncGenerator[str | Generated, None]:
        """`generate`, in the model's own thread: pieces of text as they come, then the `Generated` end.

        Cancelled or closed early, generation stops at the next token.
        """
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        unwanted = threading.Event()

        def hand_over(piece: str | None) -> bool:
            if not unwanted.is_set():
                # A closed loop means that nobody waits any more.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(pieces.put_nowait, piece)
            return unwanted.is_set()

        def run() -> Generated:
            try:
                return self.generate(messages, max_tokens=max_tokens, on_text=hand_over, json_schema=json_schema)
            finally:
                hand_over(None)

        running = loop.run_in_executor(self._executor, run)
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            yield await running
        finally:
            unwanted.set()
            running.cancel()  # where it still waits for its turn, it never runs


_shared: SmolLM | None = None
_shared_lock = threading.Lock()


def shared_smollm() -> SmolLM:
    """The packaged model, loaded once for the process, from weights that were checked.

    Raises:
        MissingExtraError: The extra ``local`` is not installed.
        WeightsError: The weights' package is not installed, or its file is not the expected one.
        LocalModelError: The runtime cannot load it.
    """
    global _shared
    with _shared_lock:
        if _shared is None:
            require("xllamacpp", extra="local")  # first: the smaller thing that may be missing
            _shared = SmolLM(verified(SMOLLM2_WEIGHTS))
        return _shared


def chat_prompt(messages: Sequence[ChatMessage]) -> str:
    """The model's chat template (ChatML), up to where the assistant's next answer begins."""
    parts = [f"<|im_start|>{message.role}\n{_plain(message.text)}<|im_end|>\n" for message in messages]
    return "".join(parts) + "<|im_start|>assistant\n"


def _plain(text: str) -> str:
    # The runtime reads control tokens wherever they stand; a blank makes them text.
    return text.replace("<|", "< |")


def _ok(answer: dict[str, Any] | None) -> dict[str, Any]:
    """The runtime's answer, unless it is an error or none."""
    error = (answer or {}).get("error")
    if answer is not None and error is None:
        return answer
    if error is None:
        raise LocalModelError("llama.cpp gave no answer")
    if error.get("type") == "exceed_context_size_error":
        raise PromptTooLongError(
            f"the prompt has {error.get('n_prompt_tokens')} tokens, the local model has room for {error.get('n_ctx')}"
        )
    # The runtime's own message can quote the request.
    raise LocalModelError(f"llama.cpp refused the call: {error.get('type', 'unknown error')} ({error.get('code')})")


def _default_threads() -> int:
    """Half of the CPUs that the process may use, at least 1 and at most 4.

    llama.cpp's threads wait for each other in busy loops: with as many threads as CPUs, other work on the machine makes
    a call take ten times as long (2 CPUs, measured: 0.2 s with one thread, 2.7 s with two).
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return min(max(usable // 2, 1), 4)
