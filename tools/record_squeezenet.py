#!/usr/bin/env python3
"""Records what independent programs compute for SqueezeNet 1.0 on a made-up input: tests/data.

usage: record_squeezenet.py MODEL_FOLDER OUTPUT_FOLDER     (needs numpy, onnx, onnxruntime, safetensors)

ONNX Runtime runs the .onnx file; a plain numpy forward pass runs the weights of the .safetensors
file. The two have to agree before anything is written.
"""
# SPDX-License-Identifier: MIT
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

LAYERS = ["conv1", "pool1", "fire3/concat", "fire5/squeeze1x1", "fire5/concat", "pool8", "conv10",
          "pool10"]
SAMPLES = 16


def made_up_input():
    """Rings of whole numbers, which any program can make exactly; no class scores beyond 0.2."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(227), np.arange(227), indexing="ij")
    return (((x - 113)**2 + (y - 113)**2) // (64 + 8 * c) % 256 - 110).astype(np.float32)[None]


def conv(x, weight, bias, stride=1, pad=0):
    k, _, r, s = weight.shape
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (r, s), (2, 3))[:, :, ::stride, ::stride]
    out = np.einsum("nchwrs,kcrs->nkhw", windows, weight, optimize=True)
    return out + bias.reshape(1, k, 1, 1)


def max_pool(x):
    """3x3, stride 2, sizes rounded up."""
    height, width = (-(-(size - 3) // 2) + 1 for size in x.shape[2:])
    room = [(0, 0), (0, 0)] + [(0, 2 * (n - 1) + 3 - size)
                               for n, size in zip((height, width), x.shape[2:])]
    x = np.pad(x, room, constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))


def forward(weights, x):
    values = {}

    def apply(name, x, **geometry):
        values[name] = conv(x, weights[name + ".weight"], weights[name + ".bias"], **geometry)
        return np.maximum(values[name], 0)

    x = values["pool1"] = max_pool(apply("conv1", x, stride=2))
    for i in range(2, 10):
        small = apply(f"fire{i}/squeeze1x1", x)
        x = np.concatenate([apply(f"fire{i}/expand1x1", small),
                            apply(f"fire{i}/expand3x3", small, pad=1)], 1)
        values[f"fire{i}/concat"] = x
        if i in (4, 8):
            x = values[f"pool{i}"] = max_pool(x)
    x = values["pool10"] = apply("conv10", x, pad=1).mean((2, 3), keepdims=True)
    e = np.exp(x - x.max())
    values["prob"] = e / e.sum()
    return values


def run_onnx(path, x):
    model = onnx.load(path)
    for name in LAYERS:
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {"data": x})))


def main():
    model, out = map(pathlib.Path, sys.argv[1:3])
    x = made_up_input()
    ours = run_onnx(model / "squeezenet_v1.0.onnx", x)
    weights = {k: v.astype(np.float64)
               for k, v in load_file(model / "squeezenet_v1.0.safetensors").items()}
    other = forward(weights, x.astype(np.float64))
    for name in LAYERS + ["prob"]:
        a, b = ours[name].ravel().astype(np.float64), other[name].ravel()
        assert a.shape == b.shape and np.abs(a - b).max() <= 1e-5 * np.abs(b).max(), name
        print(f"{name}: the programs differ by {np.abs(a - b).max() / np.abs(b).max():.1e} of the "
              "largest value")
    np.save(out / "squeezenet_scores.npy", ours["prob"].reshape(1, 1000).astype(np.float32))
    with open(out / "squeezenet_layers.txt", "w") as f:
        for name in LAYERS:
            v = other[name]
            flat = v.ravel()
            at = [flat[i * flat.size // SAMPLES] for i in range(SAMPLES)]
            f.write(" ".join([name] + [str(n) for n in v.shape]
                             + [f"{n:.9g}" for n in [flat.mean(), np.sqrt((flat**2).mean())] + at])
                    + "\n")


if __name__ == "__main__":
    main()
