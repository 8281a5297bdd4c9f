"""The interface texts of the page "Try it"."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "none": "There is no model here that could answer. Train one, and it will be listed.",
    "model": "Model",
    "loading": "Loading the model, and measuring how its training drawings look",
    "way": "What to ask about",
    "draw": "Draw or paste",
    "upload": "Upload",
    "undo": "Undo",
    "clear": "Clear",
    "pen": "Pen",
    "canvas": "Page to draw on with mouse, pen or finger. Pictures can be pasted, or uploaded under Upload.",
    "count": "Strokes: {n}",
    "picture": "A pasted picture",
    "empty": "Draw here, or paste a picture (Ctrl+V). Ctrl+Z takes a stroke back.",
    "full": "The page is full: no further stroke is taken.",
    "large": "That picture has more than 8 MiB.",
    "file": "A picture of a drawing (PNG, JPEG, WebP, BMP, GIF; up to 8 MiB)",
    "look": "Bring it to the look of the training drawings",
    "look_help": "Without it the model sees what is there, as dessin predict would.",
    "map": "Show where the model looked",
    "trained": (
        "As trained: lines of {width} px on a page of 256, {polarity}, the drawing fills {size} of the page "
        "(medians of {n:,} training drawings)."
    ),
    "usual": (
        "Usual values, for the training drawings are not within reach: lines of {width} px on a page of 256, "
        "{polarity}, the drawing fills {size} of the page."
    ),
    "dark": "dark on light",
    "light": "light on dark",
    "waiting": "The answer appears here after the first stroke.",
    "waiting_file": "The answer appears here once a picture is uploaded.",
    "looks_like": "Looks like",
    "unsure": "Not sure",
    "unsure_says": "The likeliest is {name}, with {probability}. This model answers from {threshold} up.",
    "no_class": "No class of this model",
    "no_class_says": (
        "What it sees is unlike its training drawings. If it had to answer: {name}, with {probability}."
    ),
    "bars": "The likeliest classes",
    "calibrated": "Probabilities are calibrated.",
    "uncalibrated": (
        "Probabilities are as the network gives them. dessin calibrate measures and mends how far they "
        "can be trusted."
    ),
    "took": "Answered in {milliseconds:,} ms.",
    "sees": "What the model sees",
    "spoke": "What spoke for {name}",
    "map_note": "Warm places spoke for the class. A map shows where a model looked, not why.",
    "no_map": "This committee fits drawings in several ways, so there is no one map.",
    "no_ink": "Nothing stands out from the paper of this picture.",
}

KOREAN: Mapping[str, str] = {
    "none": "여기에는 답할 수 있는 모델이 없습니다. 학습을 마치면 목록에 나타납니다.",
    "model": "모델",
    "loading": "모델을 불러오고 학습 그림의 모양을 재고 있습니다",
    "way": "무엇을 물어볼지",
    "draw": "그리기·붙여넣기",
    "upload": "올리기",
    "undo": "되돌리기",
    "clear": "지우기",
    "pen": "펜 굵기",
    "canvas": (
        "마우스, 펜, 손가락으로 그리는 종이입니다. 그림을 붙여넣거나 올리기에서 파일을 올릴 수도 있습니다."
    ),
    "count": "획 {n}개",
    "picture": "붙여넣은 그림",
    "empty": "여기에 그리거나 그림을 붙여넣으세요 (Ctrl+V). Ctrl+Z를 누르면 한 획을 되돌립니다.",
    "full": "종이가 가득 차서 더 그릴 수 없습니다.",
    "large": "그림이 8MiB보다 큽니다.",
    "file": "그림 파일 (PNG, JPEG, WebP, BMP, GIF, 8MiB 이하)",
    "look": "학습 그림과 같은 모양으로 맞추기",
    "look_help": "끄면 dessin predict처럼 있는 그대로 모델에 보여 줍니다.",
    "map": "모델이 본 곳 보기",
    "trained": (
        "학습 그림에 맞춤: 256픽셀 종이에 굵기 {width}픽셀, {polarity}, 그림이 종이의 {size}를 차지합니다 "
        "(학습 그림 {n:,}장의 중앙값)."
    ),
    "usual": (
        "학습 그림을 찾을 수 없어 통상값을 씁니다: 256픽셀 종이에 굵기 {width}픽셀, {polarity}, 그림이 "
        "종이의 {size}를 차지합니다."
    ),
    "dark": "밝은 바탕에 어두운 선",
    "light": "어두운 바탕에 밝은 선",
    "waiting": "첫 획을 그으면 여기에 답이 나타납니다.",
    "waiting_file": "그림을 올리면 여기에 답이 나타납니다.",
    "looks_like": "모델의 답",
    "unsure": "확신할 수 없음",
    "unsure_says": (
        "가장 그럴듯한 것은 {name} ({probability})입니다. 이 모델은 {threshold} 이상일 때만 답합니다."
    ),
    "no_class": "아는 클래스가 아님",
    "no_class_says": "학습한 그림들과 다릅니다. 꼭 답해야 한다면 {name} ({probability})입니다.",
    "bars": "가장 그럴듯한 클래스",
    "calibrated": "보정된 확률입니다.",
    "uncalibrated": (
        "보정하지 않은 확률입니다. dessin calibrate로 얼마나 믿을 수 있는지 재고 바로잡을 수 있습니다."
    ),
    "took": "{milliseconds:,}밀리초 만에 답했습니다.",
    "sees": "모델이 보는 그림",
    "spoke": "{name}의 근거",
    "map_note": (
        "따뜻한 색이 그 클래스의 근거가 된 곳입니다. 지도는 어디를 보았는지 보여 줄 뿐 이유를 설명하지 "
        "않습니다."
    ),
    "no_map": "이 위원회는 그림을 여러 방식으로 맞추므로 지도가 하나로 정해지지 않습니다.",
    "no_ink": "이 그림에는 종이와 구별되는 선이 없습니다.",
}
