#!/usr/bin/env python3
"""What `reverie augment` is measured against: a loop over the pictures of a folder with OpenCV and albumentations.

usage: augment_python.py FOLDER [PROCESSES]     (needs numpy, opencv-python-headless, albumentations)

Does what the recipe in docs/benchmarks.md says to each .jpg, .jpeg or .png below FOLDER once, writes JPEGs of quality 90
with colours at half size into a folder of its own, which it removes, and prints pictures per second. Two processes unless
told otherwise, each with one thread and half of the files; starting them and importing is not counted.
"""
# SPDX-License-Identifier: MIT
import multiprocessing
import pathlib
import sys
import tempfile
import time

QUALITY = 90


def work(number, files, target, ready, go):
    import albumentations as A
    import cv2
    cv2.setNumThreads(0)  # processes share the processors, threads would only wait
    jpeg = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    change = A.Compose([
        A.HorizontalFlip(p=0.5),
        A.Affine(rotate=(-30, 30), scale=(0.8, 1.2), translate_percent=(-0.1, 0.1), shear={"x": (-10, 10), "y": 0},
                 border_mode=cv2.BORDER_REFLECT_101, p=1),
        A.ColorJitter(brightness=(0.7, 1.3), contrast=(0.7, 1.3), saturation=(0.7, 1.3), hue=(-0.05, 0.05), p=1),
        A.GaussNoise(std_range=(0.04, 0.2), p=1),
    ], seed=number)
    change(image=cv2.imread(str(files[0]), cv2.IMREAD_COLOR))
    ready.wait()
    go.wait()
    for i, file in enumerate(files):
        picture = cv2.cvtColor(cv2.imread(str(file), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        picture = change(image=picture)["image"]
        cv2.imwrite(f"{target}/{number}_{i}.jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), jpeg)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    files = sorted(f for f in pathlib.Path(sys.argv[1]).rglob("*") if f.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(files) < count:
        sys.exit(f"{sys.argv[1]}: there are {len(files)} pictures, fewer than processes")
    ready, go = multiprocessing.Barrier(count + 1), multiprocessing.Event()
    with tempfile.TemporaryDirectory() as target:
        processes = [multiprocessing.Process(target=work, args=(k, files[k::count], target, ready, go))
                     for k in range(count)]
        for p in processes:
            p.start()
        ready.wait()
        start = time.monotonic()
        go.set()
        for p in processes:
            p.join()
        seconds = time.monotonic() - start
    if any(p.exitcode for p in processes):
        sys.exit("a process failed")
    print(f"{len(files)} pictures, {len(files) / seconds:.1f} a second")


if __name__ == "__main__":
    main()
