#!/usr/bin/env python3
"""Records what other programs compute as heat maps of a small network: tests/data/heatmap_*.

usage: record_heatmaps.py OUTPUT_FOLDER     (needs numpy, torch, captum)

captum computes Grad-CAM, saliency, integrated gradients, guided backpropagation and occlusion. Grad-CAM++ follows the
paper's formula with the derivatives that torch gives; SmoothGrad averages torch's gradients over pictures with the
noise of Philox4x32-10, which is written out here once more.
"""
# SPDX-License-Identifier: MIT
import json
import pathlib
import struct
import sys

import captum.attr
import numpy as np
import torch

SIZE, CLASSES, WANTED = 24, 5, (3, 1)
SAMPLES, NOISE, SEED, STEPS, WINDOW, STRIDE = 8, 0.2, 7, 64, 6, 3


def save_file(tensors, path):
    """A .safetensors file: the length of a header, the header, the values."""
    header, data = {}, b""
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.astype("<f4").tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Network(torch.nn.Module):
    """The layers of heatmap_network.prototxt, but for the softmax at its end."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.relu1 = torch.nn.ReLU()
        self.pool1 = torch.nn.MaxPool2d(2)
        self.conv2 = torch.nn.Conv2d(8, 12, 3, padding=1)
        self.relu2 = torch.nn.ReLU()
        self.conv3 = torch.nn.Conv2d(12, 16, 3, padding=1)
        self.relu3 = torch.nn.ReLU()
        self.fc = torch.nn.Linear(16 * 36, CLASSES)
        self.pool3 = torch.nn.MaxPool2d(2)

    def forward(self, x):
        x = (x - 0.5) / 0.25
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.relu3(self.conv3(self.relu2(self.conv2(x))))
        return self.fc(self.pool3(x).flatten(1))


def picture():
    """Rings, which any program can make exactly."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(SIZE), np.arange(SIZE), indexing="ij")
    values = ((x - 9)**2 + (y - 14)**2) * (3 + c) % 256
    return torch.tensor((values / 255).astype(np.float32))[None]


def philox_normal(stream, count):
    """Normal numbers of rv_philox_normal() for indices 0 to count - 1."""
    index = np.arange(count, dtype=np.uint64)
    mask = np.uint64(0xFFFFFFFF)
    w = [index >> np.uint64(2)] + [np.zeros_like(index) for _ in range(3)]
    key = [SEED, stream]
    for _ in range(10):
        a, b = w[0] * np.uint64(0xD2511F53), w[2] * np.uint64(0xCD9E8D57)
        w = [(b >> np.uint64(32)) ^ w[1] ^ np.uint64(key[0]), b & mask,
             (a >> np.uint64(32)) ^ w[3] ^ np.uint64(key[1]), a & mask]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    words = np.stack(w)
    pair, at = (index & np.uint64(2)).astype(int), np.arange(count)
    first, second = words[pair, at] >> np.uint64(8), words[pair + 1, at] >> np.uint64(8)
    radius = np.sqrt(-2 * np.log((first + np.uint64(1)) * 2.0**-24))
    angle = 2 * np.pi * second * 2.0**-24
    return radius * np.where(index & np.uint64(1), np.sin(angle), np.cos(angle))


def gradient(network, x, wanted):
    x = x.clone().requires_grad_()
    network(x)[0, wanted].backward()
    return x.grad


def smoothgrad(network, x, wanted):
    deviation = NOISE * (x.max() - x.min())
    total = torch.zeros_like(x)
    for k in range(SAMPLES):
        noise = torch.tensor(philox_normal(k, x.numel()).reshape(x.shape), dtype=torch.float32)
        total += gradient(network, x + deviation * noise, wanted)
    return (total / SAMPLES).abs().amax(1)


def grad_cam_plus(network, x, wanted):
    kept = {}
    hook = network.relu3.register_forward_hook(lambda _, __, out: kept.update(a=out))
    score = network(x)[0, wanted]
    hook.remove()
    a = kept["a"]
    g = torch.autograd.grad(score, a)[0].double()
    a = a.detach().double()
    below = 2 * g**2 + a.sum((2, 3), keepdim=True) * g**3
    alpha = torch.where(g != 0, g**2 / torch.where(g != 0, below, torch.ones_like(g)), 0)
    weights = (alpha * g.clamp(min=0)).sum((2, 3), keepdim=True)
    return (weights * a).sum(1).clamp(min=0)


def maps_of(network, x, wanted):
    """The maps of rv_heat_method, in its order."""
    attr = captum.attr
    integrated = attr.IntegratedGradients(network).attribute(
        x, baselines=0, target=wanted, n_steps=STEPS, method="riemann_middle")
    occluded = attr.Occlusion(network).attribute(
        x, (3, WINDOW, WINDOW), strides=(3, STRIDE, STRIDE), baselines=0.5, target=wanted)
    return [
        attr.LayerGradCam(network, network.relu3).attribute(
            x, target=wanted, relu_attributions=True)[:, 0],
        grad_cam_plus(network, x, wanted),
        attr.Saliency(network).attribute(x, target=wanted, abs=True).amax(1),
        smoothgrad(network, x, wanted),
        integrated.sum(1),
        attr.GuidedBackprop(network).attribute(x, target=wanted).abs().amax(1),
        occluded[:, 0],
    ]


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(11)
    network = Network().eval()
    x = picture()
    weights = {}
    for name in ("conv1", "conv2", "conv3", "fc"):
        layer = getattr(network, name)
        weights[name + ".weight"] = layer.weight.detach().numpy().copy()
        weights[name + ".bias"] = layer.bias.detach().numpy().copy()
    save_file(weights, folder / "heatmap_network.safetensors")
    rows = [[m.detach().numpy()[0] for m in maps_of(network, x, c)] for c in WANTED]
    for name, methods in (("cams", range(0, 2)), ("pixels", range(2, 7))):
        values = np.stack([[row[m] for row in rows] for m in methods]).astype(np.float32)
        np.save(folder / f"heatmap_{name}.npy", values)
        print(name, values.shape, [float(abs(v).max()) for v in values])
    print("probabilities", network(x).softmax(1).detach().numpy())


if __name__ == "__main__":
    main()
