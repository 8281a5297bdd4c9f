"""What the page says, in every language that dessin speaks; its blanks are filled in the browser."""

from __future__ import annotations

from collections.abc import Mapping

from dessin.language import LANGUAGES, own_name, speaking, translated


def words() -> Mapping[str, Mapping[str, str]]:
    """Language → name → text."""
    found = {}
    for code in LANGUAGES:
        with speaking(code):
            found[code] = {**_words(), "own_name": own_name(code)}
    return found


def _words() -> dict[str, str]:
    return {
        "title": translated("Draw, and see what it is taken for"),
        "lead": translated("The model on this page knows {n} kinds of drawings."),
        "private": translated("Nothing that is drawn or shown here leaves this device."),
        "kept": translated("This browser keeps the page: from now on it needs no network."),
        "languages": translated("Language"),
        "no_script": translated("This page computes in your browser, and needs JavaScript."),
        "sheet": translated("Draw"),
        "pad": translated("Drawing surface: arrow keys move the pen, space puts it down or lifts it."),
        "picture": translated("The picture: arrow keys move the box, with Shift they change its size."),
        "undo": translated("Undo"),
        "clear": translated("Clear"),
        "choose": translated("Picture"),
        "camera": translated("Camera"),
        "shoot": translated("Take the picture"),
        "stop": translated("Stop the camera"),
        "back": translated("Back to drawing"),
        "whole": translated("Whole picture"),
        "hint": translated("With mouse, finger, pen or arrow keys. A picture can be pasted or dropped here."),
        "crop": translated("Drag a box around the drawing if there is more in the picture."),
        "crop_sheet": translated(
            "This page does not find the sheet in a photograph: drag a box around the drawing, with paper on "
            "every side."
        ),
        "answer": translated("Answer"),
        "bars": translated("The likeliest classes"),
        "loading": translated("The model is being unpacked."),
        "empty": translated("Draw something, or choose a picture."),
        "aim": translated("Fill the picture with the drawing."),
        "looks": translated("Looks like"),
        "unsure": translated("Not sure"),
        "unsure_says": translated("Likeliest is {name}, {probability}. It answers from {threshold} up."),
        "no_class": translated("No class of this model"),
        "no_class_says": translated(
            "It is unlike its training drawings. Likeliest is {name}, {probability}."
        ),
        "answered": translated("Answered in {milliseconds} ms."),
        "calibrated": translated("Probabilities are calibrated."),
        "uncalibrated": translated("Probabilities are not calibrated (dessin calibrate does it)."),
        "classes": translated("What it knows"),
        "about": translated("About the model"),
        "runtime": translated("Computed by ONNX Runtime Web (MIT; see licences.txt beside this page)."),
        "unreadable": translated("This is no picture that your browser can read."),
        "large": translated("The picture is too large: up to 40 million pixels and 64 MiB are read."),
        "no_camera": translated("There is no camera that this page may use. Choose a picture."),
        "failed": translated("The model cannot be computed in this browser. Try a newer one."),
    }
