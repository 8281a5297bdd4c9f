"""Names of classes as rows of a linear head, by the text tower that a backbone was trained beside (CLIP,
Radford et al., 2021; SigLIP, Zhai et al., 2023), in the files in which OpenCLIP publishes both."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import torch
from pydantic import Field
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from dessin.errors import DessinError, install_command, quoted
from dessin.files import digest_of, sha256_file
from dessin.models.hub import cached_path, fetch_path, hub_file
from dessin.models.tensors import check_file, check_finite, tensor_shapes, whole
from dessin.models.weights import Weights, load_state
from dessin.reading import read_json
from dessin.schema import Section, validated

CONFIG, TENSORS, TOKENS = "open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"
PADDING = "tokenizer_config.json"
# Their mean is better than any of them (Radford et al., 3.1.4); a name alone serves other languages.
SENTENCES: Final = ("a sketch of a {}.", "a drawing of a {}.", "a doodle of a {}.", "{}")
_HUB = "hub:"
_SIDES = {"base": "B", "large": "L", "so400m": "SO400M", "giantopt": "gopt"}
_OURS = {
    "ln_1": "norm1",
    "attn": "self_attn",
    "ln_2": "norm2",
    "mlp.c_fc": "linear1",
    "mlp.c_proj": "linear2",
}
_BATCH = 256


class _Norm(Section):
    eps: float = Field(1e-5, gt=0.0)


class _Activation(Section):
    approximate: Literal["none", "tanh"] = "none"


class _Tokens(Section):
    clean: Literal["whitespace", "lower", "canonicalize"] = "whitespace"


class TextConfig(Section):
    """`text_cfg` of OpenCLIP, in so far as it is computed here; another key of it is refused."""

    context_length: int = Field(77, ge=2, le=1024)
    vocab_size: int = Field(49408, ge=2)
    width: int = Field(512, ge=1)
    heads: int = Field(8, ge=1)
    layers: int = Field(12, ge=0, le=128)
    mlp_ratio: float = Field(4.0, gt=0.0)
    no_causal_mask: bool = False
    pool_type: Literal["argmax", "last"] = "argmax"
    proj_bias: bool = False
    proj_type: Literal["linear"] = "linear"
    pad_id: int = Field(0, ge=0)
    norm_kwargs: _Norm = _Norm()
    act_kwargs: _Activation = _Activation()
    hf_tokenizer_name: str | None = None
    tokenizer_kwargs: _Tokens = _Tokens()


@dataclass(frozen=True)
class TextTower:
    """The files of one: `source` says where from, `sha256` is of them all."""

    source: str
    config: TextConfig
    quick_gelu: bool
    tensors: Path
    tokens: Path
    padding: Path | None
    sha256: str


class NoTextTowerError(DessinError):
    """A backbone that has none, or none that is to be had on this machine now."""


def find_text_tower(backbone: str, asked: str) -> TextTower:
    """The tower that is asked for: `auto` (the backbone's own, from the hub), `hub:OWNER/NAME`, or a folder.

    Raises:
        NoTextTowerError: `auto` finds none.
        DessinError: files that are missing, damaged, or of a kind that is not computed here.
    """
    if asked == "auto":
        repository = _repository(backbone)
        if not repository:
            raise NoTextTowerError(f"{backbone} was trained without captions, so it has no text tower.")
        try:
            return _from_hub(repository)
        except NoTextTowerError as error:
            raise NoTextTowerError(f"{error.seen} It would be the text tower of {backbone}.") from None
    if asked.startswith(_HUB):
        return _from_hub(asked.removeprefix(_HUB))
    folder = Path(asked)
    missing = [name for name in (CONFIG, TENSORS, TOKENS) if not (folder / name).is_file()]
    if missing:
        raise DessinError(
            f'There is no text tower at "{quoted(asked)}": it lacks {", ".join(missing)}.',
            allowed=f"finetune.text is auto, {_HUB}OWNER/NAME, or a folder with {CONFIG}, {TENSORS} and "
            f"{TOKENS}, as OpenCLIP publishes them.",
        )
    files = {name: folder / name for name in (CONFIG, TENSORS, TOKENS, PADDING) if (folder / name).is_file()}
    return _tower(f"folder {folder.name}", files)


def class_rows(tower: TextTower, weights: Weights, names: Sequence[str]) -> Tensor:
    """Rows (C, D) float32 for the D features of a backbone: each the direction of a name among images.

    Raises:
        DessinError: the tower is damaged, or does not fit the backbone's weights.
    """
    from dessin.models.backbones import describe_backbone

    texts = embed(tower, names)
    width, projection = describe_backbone(weights.backbone).features, _projection(weights)
    if projection is None and texts.shape[1] == width:
        return texts
    if projection is None or projection.shape != (texts.shape[1], width):
        found = "none" if projection is None else "x".join(map(str, projection.shape))
        raise DessinError(
            f"The text tower ({tower.source}) speaks in {texts.shape[1]} numbers, and the weights of "
            f"{weights.backbone} ({weights.source}) have no layer that leads from their {width} features "
            f"there (found: {found}).",
            do="Name the text tower that was trained with these weights, or leave out finetune.text.",
        )
    return texts @ projection


def embed(tower: TextTower, names: Sequence[str]) -> Tensor:
    """What the tower makes of names, (C, E) float32: the mean over sentences, of length 1."""
    network = _network(tower)
    tokens = _tokens(tower, [sentence.format(name) for name in names for sentence in SENTENCES])
    with torch.inference_mode():
        said = torch.cat([network(part) for part in torch.split(tokens, _BATCH)])
    return normalize(normalize(said, dim=1).reshape(len(names), len(SENTENCES), -1).mean(dim=1), dim=1)


def _repository(backbone: str) -> str:
    """Where the tower of a timm model is on the hub; empty for one without, or trained on without it."""
    repository = hub_file(backbone)[0]
    name = repository.rpartition("/")[2]
    siglip = re.fullmatch(r"vit_([a-z0-9]+)_patch(\d+)_siglip_(\d+)\.(v2_)?webli", name)
    if siglip and siglip[1] in _SIDES:
        side = "" if siglip[3] == "224" else f"-{siglip[3]}"
        return f"timm/ViT-{_SIDES[siglip[1]]}-{siglip[2]}-SigLIP{'2' if siglip[4] else ''}{side}"
    return repository if re.search(r"[_.](clip|mobileclip)", name) and "_ft_" not in name else ""


def _from_hub(repository: str) -> TextTower:
    config = _found(repository, CONFIG)
    elsewhere = _settings(config)[0].hf_tokenizer_name or repository
    files = {CONFIG: config, TENSORS: _found(repository, TENSORS)}
    files |= {name: _found(elsewhere, name) for name in (TOKENS, PADDING)}
    return _tower(f"hub {repository}", files)


def _found(repository: str, file: str) -> Path:
    try:
        return cached_path(repository, file) or fetch_path(repository, file)
    except DessinError as error:
        raise NoTextTowerError(f"{file} of {quoted(repository)} is not to be had: {error.seen}.") from None


def _tower(source: str, files: dict[str, Path]) -> TextTower:
    config, quick_gelu = _settings(files[CONFIG])
    for path in files.values():
        check_file(path)
    digest = digest_of([[name, sha256_file(path)] for name, path in sorted(files.items())])
    return TextTower(source, config, quick_gelu, files[TENSORS], files[TOKENS], files.get(PADDING), digest)


def _settings(path: Path) -> tuple[TextConfig, bool]:
    values: Any = read_json(path)
    model = values.get("model_cfg") if isinstance(values, dict) else None
    text = model.get("text_cfg") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(text, dict):
        raise DessinError(f"{path} describes no text tower: it has no model_cfg with a text_cfg.")
    # What is left at null is what is usual.
    said = {key: value for key, value in text.items() if value is not None}
    return validated(TextConfig, said, str(path)), bool(model.get("quick_gelu"))


class _Network(nn.Module):
    """Tokens (n, L) → (n, E)."""

    def __init__(self, config: TextConfig, quick_gelu: bool, wide: int) -> None:
        super().__init__()
        width, self.config = config.width, config
        act = _quick_gelu if quick_gelu else partial(gelu, approximate=config.act_kwargs.approximate)
        eps = config.norm_kwargs.eps
        self.words = nn.Embedding(config.vocab_size, width)
        self.places = nn.Parameter(torch.empty(config.context_length, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                config.heads,
                int(width * config.mlp_ratio),
                0.0,
                act,
                eps,
                batch_first=True,
                norm_first=True,
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width, eps)
        self.out = nn.Linear(width, wide, bias=config.proj_bias)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        after = None if self.config.no_causal_mask else torch.ones(length, length).triu(1).bool()
        x = self.words(tokens) + self.places[:length]
        for block in self.blocks:
            x = block(x, src_mask=after)
        x = self.norm(x)
        last = tokens.argmax(dim=1) if self.config.pool_type == "argmax" else length - 1
        return self.out(x[torch.arange(len(x)), last])  # type: ignore[no-any-return]


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _network(tower: TextTower) -> _Network:
    """The network with its weights, read without those of images beside them."""
    shapes = tensor_shapes(tower.tensors)
    before = "text." if "text.token_embedding.weight" in shapes else ""
    starts = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")
    with whole(tower.tensors), safe_open(tower.tensors, framework="pt") as file:
        state = {
            _renamed(name.removeprefix(before)): file.get_tensor(name).float()
            for name in shapes
            if name.startswith(before) and name.removeprefix(before).startswith(starts)
        }
    check_finite(state, tower.tensors)
    projection = state.pop("text_projection", None)
    if projection is not None:
        state["out.weight"] = projection.T.contiguous()
    wide = len(state["out.weight"]) if "out.weight" in state else 0
    try:
        with torch.device("meta"):
            network = _Network(tower.config, tower.quick_gelu, wide)
        network.load_state_dict(state, assign=True)
    except (RuntimeError, AssertionError) as error:
        raise DessinError(
            f"The tensors of {tower.tensors} are not those that {CONFIG} beside it describes: "
            f"{quoted(' '.join(str(error).split()))}",
            do="Fetch both again.",
        ) from None
    return network.eval()


def _renamed(name: str) -> str:
    block = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", name)
    if block:
        number, part = block.groups()
        ours = next((key for key in _OURS if part.startswith(f"{key}.")), "")
        return f"blocks.{number}.{_OURS.get(ours, '')}{part.removeprefix(ours)}"
    for theirs, ours in (
        ("token_embedding.", "words."),
        ("ln_final.", "norm."),
        ("text_projection.", "out."),
    ):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return "places" if name == "positional_embedding" else name


def _tokens(tower: TextTower, texts: Sequence[str]) -> Tensor:
    """(n, context length) int64."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise DessinError(
            "Names of classes are cut into tokens by the package tokenizers, which is not installed.",
            do=f"Install it with {install_command('text')}, or leave out finetune.text.",
        ) from None
    config = tower.config
    try:
        tokenizer = Tokenizer.from_file(str(tower.tokens))
    except Exception as error:  # the library raises a bare Exception
        raise DessinError(f"{tower.tokens} is no tokenizer: {quoted(str(error))}") from None
    tokenizer.enable_truncation(config.context_length)
    tokenizer.enable_padding(length=config.context_length, pad_id=_pad(tower, tokenizer))
    ids = [each.ids for each in tokenizer.encode_batch([_clean(text, config) for text in texts])]
    found = torch.tensor(ids)
    if int(found.max()) >= config.vocab_size:
        raise DessinError(
            f"{tower.tokens} has tokens up to {int(found.max()):,}, and the tower knows "
            f"{config.vocab_size:,}."
        )
    return found


def _pad(tower: TextTower, tokenizer: Any) -> int:
    """What fills a text up: SigLIP was trained with it, CLIP does not look at it."""
    token: Any = read_json(tower.padding).get("pad_token") if tower.padding else None
    token = token.get("content") if isinstance(token, dict) else token
    found = tokenizer.token_to_id(token) if isinstance(token, str) else None
    return tower.config.pad_id if found is None else int(found)


def _clean(text: str, config: TextConfig) -> str:
    kind = config.tokenizer_kwargs.clean
    if kind == "canonicalize":
        text = text.replace("_", " ").translate(str.maketrans("", "", string.punctuation))
    # CLIP's own tokens are of small letters.
    small = kind != "whitespace" or config.hf_tokenizer_name is None
    return " ".join((text.lower() if small else text).split())


def _projection(weights: Weights) -> Tensor | None:
    """The layer (E, D) that leads from a body's features to where texts are, if the weights have one."""
    from dessin.models.backbones import sketch_body

    name = sketch_body(weights.backbone).pretrained_cfg.get("classifier")
    found = load_state(weights).get(f"{name}.weight") if isinstance(name, str) else None
    return found.float() if found is not None and found.ndim == 2 else None
