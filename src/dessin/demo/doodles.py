"""Doodles: drawings made by programs of strokes, in mixed files, with planted faults and an answer key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dessin.demo.answer_key import DRAWINGS_FOLDER, KEY_FILE, AnswerKey, write_answer_key
from dessin.demo.drawing import Doodle, draw_doodle
from dessin.demo.faults import plant_faults
from dessin.demo.subjects import SUBJECTS
from dessin.errors import DessinError
from dessin.files import claim_folder
from dessin.progress import track

_THREADS = 2


def generate_doodles(out: Path, *, classes: int = 16, per_class: int = 30, seed: int = 0) -> AnswerKey:
    """Draw `classes` x `per_class` doodles into `out/drawings`, plant faults, write `out/answer_key.json`.

    The bytes depend on the arguments alone (and on the versions of Pillow and OpenCV). The planted files come
    on top of `per_class`.

    Raises:
        DessinError: too few or too many classes, or an `out` that is not empty.
    """
    if not 12 <= classes <= len(SUBJECTS) or per_class < 10:
        raise DessinError(
            f"Doodles of {classes} classes with {per_class} drawings each cannot be made.",
            allowed=f"There are 12 to {len(SUBJECTS)} classes, of at least 10 drawings.",
        )
    claim_folder(out, what="a set of doodles")
    names = sorted(SUBJECTS)[:classes]
    jobs = [(name, number) for name in names for number in range(1, per_class + 1)]
    folder = out / DRAWINGS_FOLDER
    for name in names:
        (folder / name).mkdir(parents=True)

    def draw(job: tuple[str, int]) -> Doodle:
        doodle = draw_doodle(*job, seed=seed)
        (folder / doodle.image_id).write_bytes(doodle.data)
        return doodle

    with ThreadPoolExecutor(_THREADS) as pool:
        doodles = list(track(pool.map(draw, jobs), len(jobs), "drawing doodles"))
    key = plant_faults(folder, [doodle.image_id for doodle in doodles], names, seed)
    write_answer_key(key, out / KEY_FILE)
    return key
