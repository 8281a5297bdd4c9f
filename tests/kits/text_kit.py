"""Small text towers in the files of OpenCLIP: random ones, and one that says of words what a test plants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

WIDTH, LAYERS, LENGTH = 16, 2, 20
WORDS = (
    "a",
    "sketch",
    "of",
    "drawing",
    "doodle",
    ".",
    "teapot",
    "race",
    "car",
    "owl",
    "bars",
    "dots",
    "frame",
)
SIGLIP = {
    "no_causal_mask": True,
    "proj_bias": True,
    "pool_type": "last",
    "norm_kwargs": {"eps": 1e-6},
    "act_kwargs": {"approximate": "tanh"},
    "tokenizer_kwargs": {"clean": "canonicalize"},
}


def write_tower(folder: Path, *, siglip: bool = False, seed: int = 0, **text: Any) -> Path:
    """A random one as CLIP's, or as SigLIP's."""
    said: dict[str, Any] = {"width": WIDTH, "heads": 4, "layers": LAYERS, "context_length": LENGTH}
    said |= (SIGLIP if siglip else {}) | text
    torch.manual_seed(seed)
    width, layers, hidden = said["width"], said["layers"], 4 * said["width"]
    vocabulary = _vocabulary(WORDS)
    said["vocab_size"] = len(vocabulary)
    shapes = {
        "token_embedding.weight": (len(vocabulary), width),
        "positional_embedding": (said["context_length"], width),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
    }
    for number in range(layers):
        block = {
            "ln_1.weight": (width,),
            "ln_1.bias": (width,),
            "attn.in_proj_weight": (3 * width, width),
            "attn.in_proj_bias": (3 * width,),
            "attn.out_proj.weight": (width, width),
            "attn.out_proj.bias": (width,),
            "ln_2.weight": (width,),
            "ln_2.bias": (width,),
            "mlp.c_fc.weight": (hidden, width),
            "mlp.c_fc.bias": (hidden,),
            "mlp.c_proj.weight": (width, hidden),
            "mlp.c_proj.bias": (width,),
        }
        shapes |= {f"transformer.resblocks.{number}.{name}": shape for name, shape in block.items()}
    shapes |= {"text_projection.weight": (WIDTH, width), "text_projection.bias": (WIDTH,)} if siglip else {}
    shapes |= {} if siglip else {"text_projection": (width, WIDTH)}
    tensors = {name: torch.randn(shape) * 0.4 for name, shape in shapes.items()}
    return _write(folder, said, tensors, vocabulary, quick_gelu=not siglip, before="text." if siglip else "")


def plant_tower(folder: Path, said: Mapping[str, Tensor]) -> Path:
    """One that makes of each word that is given just that direction (E,), whatever else its sentence has."""
    # The word has the highest number in its sentence, where a tower like CLIP's looks; without blocks nothing
    # else comes there. The last norm leaves alone what has a mean of zero: each number and its negative.
    directions = torch.stack(list(said.values())).float()
    vocabulary = _vocabulary(WORDS[:6], last=tuple(said))
    wide = directions.shape[1]
    words = torch.zeros(len(vocabulary), 2 * wide)
    words[-len(said) :] = torch.cat([directions, -directions], dim=1)
    tensors = {
        "token_embedding.weight": words,
        "positional_embedding": torch.zeros(LENGTH, 2 * wide),
        "ln_final.weight": torch.ones(2 * wide),
        "ln_final.bias": torch.zeros(2 * wide),
        "text_projection": torch.cat([torch.eye(wide), torch.zeros(wide, wide)]),
    }
    config = {"width": 2 * wide, "heads": 1, "layers": 0, "context_length": LENGTH}
    return _write(folder, config | {"vocab_size": len(vocabulary)}, tensors, vocabulary)


def _vocabulary(words: tuple[str, ...], last: tuple[str, ...] = ()) -> dict[str, int]:
    every = ("<pad>", "</s>", "<unk>", *words, "<start>", "<end>", *last)
    return {word: number for number, word in enumerate(every)}


def _write(
    folder: Path,
    text: dict[str, Any],
    tensors: dict[str, Tensor],
    vocabulary: dict[str, int],
    *,
    quick_gelu: bool = False,
    before: str = "",
) -> Path:
    folder.mkdir(parents=True)
    config = {"model_cfg": {"embed_dim": WIDTH, "quick_gelu": quick_gelu, "vision_cfg": {}, "text_cfg": text}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    # What the images' side would have is there, too, and is not read.
    also = {"logit_scale": torch.tensor(4.6), "visual.proj": torch.full((2, 2), torch.nan)}
    save_file(
        {before + name: each for name, each in tensors.items()} | also, folder / "open_clip_model.safetensors"
    )
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    around = "$A </s>" if before else "<start> $A <end>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=around, special_tokens=[(word, vocabulary[word]) for word in ("<start>", "<end>", "</s>")]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "</s>"}}))
    return folder
