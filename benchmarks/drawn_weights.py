"""Make the weights that come with dessin as `model.weights: drawn` from a finished run.

The body alone, in half precision, with its source, licence and classes in the file; the same run gives the
same bytes. Only a run on drawings that may be passed on (Quick, Draw!, CC BY 4.0) is for packaging. From the
repository root:

    dessin fetch quickdraw --out quickdraw --per-class 25
    dessin split quickdraw --out split.csv --folds 10 --holdout 0
    dessin train drawn-128 --data quickdraw --split split.csv --out runs/drawn
    python benchmarks/drawn_weights.py runs/drawn

The digest that it prints belongs into `DIGESTS` of src/dessin/models/drawn.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dessin.files import sha256_bytes, write_bytes
from dessin.models import drawn
from dessin.models.bundle import load_bundle
from dessin.runs.record import read_record

LICENCE = "Apache-2.0; trained on Quick, Draw! by Google LLC, CC BY 4.0"
LARGEST = 8_000_000
DATA = "Quick, Draw! by Google LLC, https://github.com/googlecreativelab/quickdraw-dataset, CC BY 4.0"


def facts_of(run: Path) -> dict[str, str]:
    """What the file says of itself: of the run alone, not of where or when it is made."""
    record, card = read_record(run), load_bundle(run / "bundle").card
    validation = record.results["validation"].accuracy
    return {
        "backbone": card.backbone,
        "changed": "the backbone's ImageNet weights were trained further by dessin; half precision",
        "classes": json.dumps([card.names.get(label, label) for label in card.classes], ensure_ascii=False),
        "data": f"{DATA}; {record.counts.train} drawings of {record.counts.classes} classes",
        "date": record.finished[:10],
        "licence": LICENCE,
        "manifest": record.digests.manifest,
        "recipe": record.recipe.model_dump_json(exclude={"data"}),
        "run": f"model.safetensors {record.digests.model}",
        "start": f"{card.provenance['backbone_weights']}, {card.licence}",
        "validation": f"{validation} of Quick, Draw! drawings that were not trained on",
    }


def body_of(run: Path) -> bytes:
    """The packed body of a run that has finished."""
    body = load_bundle(run / "bundle").with_weights("packaged weights").body
    return drawn.packed(body.state_dict(), facts_of(run))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, help="default: its place in the package")
    options = parser.parse_args()
    data, backbone = body_of(options.run), read_record(options.run).recipe.model.backbone
    if len(data) > LARGEST:
        raise SystemExit(f"{len(data):,} bytes are too many for the package, which takes {LARGEST:,}.")
    name = f"{backbone}.{drawn.DRAWN}.safetensors"
    out = options.out or Path(drawn.__file__).with_name(name)
    write_bytes(out, data)
    print(f'{out}: {len(data):,} bytes\n    "{backbone}": "{sha256_bytes(data)}",')


if __name__ == "__main__":
    main()
