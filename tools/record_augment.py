#!/usr/bin/env python3
"""Records what other programs make of a small picture: tests/unit/dataset/augment_vectors.h.

usage: record_augment.py OUTPUT_FILE     (needs numpy, OpenCV, Pillow, and clang-format for the form of the file)

OpenCV resamples and blurs, Pillow changes colours, Python's own colorsys turns hues.
"""
# SPDX-License-Identifier: MIT
import colorsys
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import PIL
from PIL import Image, ImageEnhance

WIDTH, HEIGHT = 9, 7
LARGE = (16, 11)


def source():
    """A slope with a pattern, which any program can make exactly."""
    y, x, c = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), np.arange(3), indexing="ij")
    return (40 + 13 * x + 9 * y + np.array([0, 25, -35])[c] + x * y * (c + 1) % 7).astype(np.uint8)


def warp(picture, matrix, border):
    """The matrix takes positions in the source to the result; centres of pixels are whole numbers."""
    return cv2.warpAffine(picture, np.array(matrix), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=border)


def sheared(picture):
    """Sheared by 15 degrees along x, scaled by 0.8, about the middle, then shifted by a tenth of each side."""
    slope = np.tan(np.radians(15))
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    linear = 0.8 * np.array([[1, -slope], [0, 1]])
    shift = middle - linear @ middle + 0.1 * np.array([WIDTH, HEIGHT])
    return warp(picture, np.column_stack([linear, shift]), cv2.BORDER_REPLICATE)


def turned(picture, shift):
    """Hue by colorsys, rounded."""
    out = np.zeros_like(picture)
    for at in np.ndindex(picture.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*(picture[at] / 255))
        out[at] = np.round(255 * np.array(colorsys.hsv_to_rgb((h + shift) % 1, s, v)))
    return out


def vectors():
    """(name, what it is, values) of all."""
    x = source()
    image = Image.fromarray(x)
    rotation = cv2.getRotationMatrix2D(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), -20, 1.1)
    yield ("rotated", "cv2.warpAffine, bilinear, of cv2.getRotationMatrix2D(middle, -20, 1.1), BORDER_REFLECT_101.",
           warp(x, rotation, cv2.BORDER_REFLECT_101))
    yield "bordered", "The same, black outside.", warp(x, rotation, cv2.BORDER_CONSTANT)
    yield ("sheared", "cv2.warpAffine: sheared by 15 degrees, scaled by 0.8, shifted by (0.9, 0.7); BORDER_REPLICATE.",
           sheared(x))
    yield ("enlarged", f"cv2.resize to {LARGE[0]} x {LARGE[1]}, INTER_LINEAR.",
           cv2.resize(x, LARGE, interpolation=cv2.INTER_LINEAR))
    yield ("blurred", "cv2.GaussianBlur, deviation 1.2, 11 x 11, BORDER_REFLECT_101.",
           cv2.GaussianBlur(x, (11, 11), 1.2, borderType=cv2.BORDER_REFLECT_101))
    yield "mirrored", "cv2.flip about the vertical axis.", cv2.flip(x, 1)
    yield "toppled", "cv2.flip about the horizontal axis.", cv2.flip(x, 0)
    yield "padded", "cv2.copyMakeBorder to 13 x 9, BORDER_REFLECT_101.", cv2.copyMakeBorder(
        x, 1, 1, 2, 2, cv2.BORDER_REFLECT_101)
    yield "brighter", "ImageEnhance.Brightness, 1.4.", np.asarray(ImageEnhance.Brightness(image).enhance(1.4))
    yield "flatter", "ImageEnhance.Contrast, 0.6.", np.asarray(ImageEnhance.Contrast(image).enhance(0.6))
    yield "richer", "ImageEnhance.Color, 1.7.", np.asarray(ImageEnhance.Color(image).enhance(1.7))
    yield "grey", "Image.convert('L'), for each channel.", np.repeat(np.asarray(image.convert("L"))[..., None], 3, 2)
    yield "turned", "colorsys: hue + 0.3.", turned(x, 0.3)


def size(values):
    return "VECTOR_BYTES" if values.shape == (HEIGHT, WIDTH, 3) else " * ".join(map(str, values.shape))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    major = PIL.__version__.split(".")[0]
    lines = [
        f"/* Small pictures as OpenCV {'.'.join(cv2.__version__.split('.')[:2])}, Pillow {major} and Python's colorsys "
        "make them of one source: tools/record_augment.py. */",
        "/* SPDX-License-Identifier: MIT */",
        "#ifndef RV_TESTS_AUGMENT_VECTORS_H", "#define RV_TESTS_AUGMENT_VECTORS_H", "", "#include <stdint.h>", "",
        "/* Of the source: value of channel c at (x, y) is 40 + 13 x + 9 y + (0, 25, -35)[c] + x y (c + 1) mod 7. */",
        f"enum {{ VECTOR_WIDTH = {WIDTH}, VECTOR_HEIGHT = {HEIGHT}, VECTOR_BYTES = VECTOR_WIDTH * VECTOR_HEIGHT * 3 }};",
        ""]
    for name, what, values in vectors():
        lines += [f"/* {what} */", f"static const uint8_t vector_{name}[{size(values)}] = {{",
                  ", ".join(str(v) for v in values.ravel()) + "};", ""]
    lines += ["#endif", ""]
    target = pathlib.Path(sys.argv[1])
    form = ["clang-format", f"--assume-filename={target.resolve()}"]
    target.write_text(subprocess.run(form, input="\n".join(lines), capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
