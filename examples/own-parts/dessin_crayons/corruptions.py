from collections.abc import Iterator, Sequence

import cv2

from dessin.trust.robustness.corruption import Page, Sketch, corruption


@corruption("coffee", "a ring of this share of the paper's brightness", 0.1, 0.2, 0.3, 0.45, 0.6)
def coffee(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    middle = tuple(round(draw * sketch.size) for draw in sketch.draws[:2])
    for level in levels:
        page = sketch.page.copy()
        colour = [round(paper * (1 - level)) for paper in sketch.paper]
        cv2.circle(page, middle, sketch.size // 4, colour, max(2, sketch.size // 24))
        yield page
