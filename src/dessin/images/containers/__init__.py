"""What an image file's container says before any pixel is decoded, and the parts of it that draw the picture.

Pillow is handed only the parts that draw the first picture. Metadata parsers, animations and embedded second
images, where most hostile files strike and most warnings come from, are never entered. What would cost time
or memory out of all proportion to the picture is refused here, by a walk that is linear and stops at a cap.
"""
