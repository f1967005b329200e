#!/usr/bin/env python3
"""Records what an independent style transfer does with SqueezeNet, for tests/unit/stages/gatys.c.

    tools/record_gatys.py squeezenet_v1.0.safetensors

makes tests/data/gatys_photo.png and gatys_style.png from samples, gatys_losses.txt, the losses of each layer, and
gatys_result.png, the picture after 50 iterations. The network, the losses as neural-style has them and all else is
PyTorch in double precision, the optimiser is PyTorch's L-BFGS.
"""
import json
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

WIDTH, HEIGHT = 64, 48
STYLE = ["relu_conv1", "fire2/concat", "fire3/concat", "fire4/concat"]
CONTENT = "fire4/concat"
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 5, 100, 1e-3
RIDGE = 1e-4


def read_weights(path):
    with open(path, "rb") as file:
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    weights = {}
    for name, entry in head.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
            weights[name] = torch.tensor(values.astype(np.float64))
    return weights


def features(w, picture):
    """Of a picture [3,H,W], R,G,B, 0..1."""
    mean = torch.tensor([104.0, 117.0, 123.0], dtype=torch.float64)
    x = (picture.flip(0) * 255 - mean[:, None, None])[None]

    def conv(name, x, **options):
        return F.relu(F.conv2d(x, w[name + ".weight"], w[name + ".bias"], **options))

    def fire(name, x):
        x = conv(name + "/squeeze1x1", x)
        left, right = conv(name + "/expand1x1", x), conv(name + "/expand3x3", x, padding=1)
        return torch.cat([left, right], 1)

    out = {"relu_conv1": conv("conv1", x, stride=2)}
    x = F.max_pool2d(out["relu_conv1"], 3, 2, ceil_mode=True)
    for name in ["fire2", "fire3", "fire4"]:
        x = out[name + "/concat"] = fire(name, x)
    return {name: map[0].flatten(1) for name, map in out.items()}


def gram(f):
    return f @ f.T / f.numel()


def root_trace(m):
    return torch.linalg.eigvalsh(m).clamp(min=0).sqrt().sum()


def moments(f):
    return f.mean(1), f @ f.T / f.shape[1]


def style_loss(kind, f, target):
    """Of one layer, without weight."""
    if kind == "gram":
        return F.mse_loss(gram(f), gram(target))
    (m, p), (t, q) = moments(f), moments(target)
    ridge = RIDGE * q.diagonal().mean()
    if kind == "mean-variance":
        s = ((p.diagonal() - m * m).clamp(min=0) + ridge).sqrt()
        d = ((q.diagonal() - t * t).clamp(min=0) + ridge).sqrt()
        return ((m - t) ** 2 + (s - d) ** 2).mean()
    unit = torch.eye(len(m), dtype=torch.float64)
    a, d = p - torch.outer(m, m) + ridge * unit, q - torch.outer(t, t) + ridge * unit
    values, vectors = torch.linalg.eigh(d)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    whole = a.trace() + d.trace() - 2 * root_trace(root @ a @ root)
    return ((m - t) ** 2).mean() + whole / len(m)


def variation(picture):
    """Half the sum that neural-style's gradient belongs to."""
    x = picture * 255
    right = x[:, :-1, :-1] - x[:, :-1, 1:]
    below = x[:, :-1, :-1] - x[:, 1:, :-1]
    return 0.5 * ((right**2).sum() + (below**2).sum())


def load(path):
    return torch.tensor(np.asarray(Image.open(path), np.float64) / 255).permute(2, 0, 1)


def shrink(source, path):
    picture = Image.open(source).convert("RGB")
    side = min(picture.width // 4, picture.height // 3)
    box = picture.crop((0, 0, 4 * side, 3 * side))
    box.resize((WIDTH, HEIGHT), Image.LANCZOS).save(path, optimize=True)
    return load(path)


def record_layers(file, w, photo, style):
    point = ((photo + style) / 2).requires_grad_(True)
    of_photo, of_style = features(w, photo), features(w, style)
    content = CONTENT_WEIGHT * F.mse_loss(features(w, point)[CONTENT], of_photo[CONTENT])
    file.write(f"content {CONTENT} {content.item():.9g}\n")
    for kind in ["gram", "mean-variance", "wasserstein"]:
        own = features(w, point)
        losses = [STYLE_WEIGHT * style_loss(kind, own[n], of_style[n]) for n in STYLE]
        for name, loss in zip(STYLE, losses):
            file.write(f"{kind} {name} {loss.item():.9g}\n")
        point.grad = None
        sum(losses).backward()
        g = point.grad.flatten()
        some = " ".join(f"{g[i * len(g) // 16].item():.6g}" for i in range(16))
        file.write(f"{kind} gradient {g.pow(2).mean().sqrt().item():.9g} {some}\n")


def transfer(w, photo, style):
    """With the first three layers: there single precision alone moves the result by 0.3 of 255, with four by more."""
    of_photo = features(w, photo)[CONTENT]
    of_style = {name: gram(f) for name, f in features(w, style).items() if name in STYLE[:3]}
    x = photo.contiguous().clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([x], max_iter=50, history_size=20, tolerance_grad=-1,
                                  tolerance_change=-1)

    def evaluate():
        optimizer.zero_grad()
        own = features(w, x)
        loss = CONTENT_WEIGHT * F.mse_loss(own[CONTENT], of_photo) + TV_WEIGHT * variation(x)
        for name in of_style:
            loss = loss + STYLE_WEIGHT * F.mse_loss(gram(own[name]), of_style[name])
        loss.backward()
        return loss

    optimizer.step(evaluate)
    pixels = (x.detach().clamp(0, 1) * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    Image.fromarray(pixels).save("tests/data/gatys_result.png", optimize=True)


def main():
    torch.set_num_threads(1)
    w = read_weights(sys.argv[1])
    photo = shrink("samples/still_life.jpg", "tests/data/gatys_photo.png")
    style = shrink("samples/brush.jpg", "tests/data/gatys_style.png")
    with open("tests/data/gatys_losses.txt", "w") as file:
        record_layers(file, w, photo, style)
    transfer(w, photo, style)


main()
