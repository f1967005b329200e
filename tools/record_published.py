#!/usr/bin/env python3
"""Records what other programs compute for the networks of tests/support/published.c: tests/data/published.txt.

usage: REVERIE_KEEP_NETWORKS=FOLDER build/check-gcc/tests/test_model --filter 'published/*'
       record_published.py FOLDER tests/data/published.txt
       (needs numpy, onnx, onnxruntime and torch; OpenCV 3 or 4, which reads Caffe's files, where it is there)

The files that the tests wrote are read here by readers of their own. PyTorch runs them layer by layer in double
precision, and gives the gradient; ONNX Runtime and OpenCV run the same files as they are, and have to agree before
anything is written.
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import sys

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
import torch
import torch.nn.functional as F

SAMPLES = 16
MEAN = torch.tensor([104.0, 117.0, 123.0], dtype=torch.float64).reshape(1, 3, 1, 1)
# Network, a value in the middle, the scores before the softmax.
NETWORKS = {"lenet": ("conv2", "ip2"), "alexnet": ("conv5", "fc8"), "caffenet": ("norm2", "fc8"),
            "zfnet512": ("pool2", "fc8"), "nin": ("cccp6", "pool4"),
            "googlenet": ("inception_4c/output", "loss3/classifier"),
            "vgg16": ("conv4_2", "fc8"), "vgg19": ("conv4_2", "fc8"),
            "vgg16-bn": ("conv4_2", "fc8"), "vgg19-bn": ("conv4_2", "fc8"),
            "resnet18": ("res4b", "fc1000"), "resnet34": ("res4f", "fc1000"),
            "resnet50": ("res4f", "fc1000")}


# --- Caffe's files ------------------------------------------------------------------------------

def parse_prototxt(text):
    """A message is a list of (name, value); a value is a text or a message."""
    tokens = iter(re.findall(r'"[^"]*"|[\w.+-]+|[{}:]', text))

    def message():
        fields = []
        for token in tokens:
            if token == "}":
                break
            value = next(tokens)
            if value == ":":
                value = next(tokens)
            fields.append((token, message() if value == "{" else value.strip('"')))
        return fields
    return message()


def get(message, name, default=None):
    return next((v for k, v in message if k == name), default)


def fields(data):
    """(number, value) of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 2:
            size = varint()
            yield key >> 3, data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {key & 7}")


def read_blob(data):
    shape, old, values = [], {}, None
    for number, value in fields(data):
        if number <= 4:
            old[number] = value
        elif number == 5:
            values = np.frombuffer(value, "<f4").astype(np.float64)
        elif number == 7:
            shape = [v for _, v in fields(value)]
    return torch.from_numpy(values.reshape(shape or [old[i] for i in range(1, 5)]))


def read_caffemodel(path):
    blobs = {}
    for number, layer in fields(memoryview(path.read_bytes())):
        if number in (2, 100):
            old = number == 2
            parts = list(fields(layer))
            name = bytes(get(parts, 4 if old else 1)).decode()
            blobs[name] = [read_blob(v) for k, v in parts if k == (6 if old else 7)]
    return blobs


def lrn(x, size, alpha, beta):
    return F.local_response_norm(x, size, alpha, beta, 1.0)


def caffe_pool(x, p):
    k, s, pad = (int(get(p, key, d)) for key, d in (("kernel_size", 0), ("stride", 1), ("pad", 0)))
    if get(p, "pool", "MAX") == "MAX":
        return F.max_pool2d(x, k, s, pad, ceil_mode=True)
    return F.avg_pool2d(x, k, s, pad, ceil_mode=True, count_include_pad=True)


def run_caffe(folder, name, x):
    """All layers of a prototxt; what each of them gives, before later ones in place change it."""
    blobs = read_caffemodel(folder / f"{name}.caffemodel")
    values, tops = {}, {"data": x}
    for key, layer in parse_prototxt((folder / f"{name}.prototxt").read_text()):
        if key not in ("layer", "layers") or get(layer, "type") == "Input":
            continue
        kind = get(layer, "type").replace("_", "").lower()
        ins = [tops[v] for k, v in layer if k == "bottom"]
        b = blobs.get(get(layer, "name"), [])
        if kind == "convolution":
            p = get(layer, "convolution_param")
            bias = b[1].flatten() if get(p, "bias_term", "true") == "true" else None
            y = F.conv2d(ins[0], b[0], bias, int(get(p, "stride", 1)), int(get(p, "pad", 0)), 1,
                         int(get(p, "group", 1)))
        elif kind == "innerproduct":
            y = F.linear(ins[0].flatten(1), b[0].reshape(b[0].shape[-2:]), b[1].flatten())
        elif kind == "relu":
            y = F.relu(ins[0])
        elif kind == "pooling":
            y = caffe_pool(ins[0], get(layer, "pooling_param"))
        elif kind == "lrn":
            p = get(layer, "lrn_param")
            y = lrn(ins[0], int(get(p, "local_size")), float(get(p, "alpha")),
                    float(get(p, "beta")))
        elif kind == "dropout":
            y = ins[0]
        elif kind == "concat":
            y = torch.cat(ins, 1)
        elif kind == "eltwise":
            y = sum(ins)
        elif kind == "batchnorm":
            y = F.batch_norm(ins[0], b[0] / b[2], b[1] / b[2], eps=1e-5)
        elif kind == "scale":
            y = ins[0] * b[0].reshape(1, -1, 1, 1) + b[1].reshape(1, -1, 1, 1)
        elif kind == "softmax":
            y = F.softmax(ins[0], 1)
        else:
            raise ValueError(kind)
        values[get(layer, "name")] = tops[get(layer, "top")] = y
    return values


# --- ONNX ---------------------------------------------------------------------------------------

def pad_pool(x, a, value):
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    return F.pad(x, (left, right, top, bottom), value=value)


def run_node(node, ins, a):
    op = node.op_type
    if op == "Conv":
        return F.conv2d(ins[0], ins[1], ins[2] if len(ins) > 2 else None, a["strides"],
                        a["pads"][:2], 1, a["group"])
    if op == "MaxPool":
        if a.get("ceil_mode"):
            return F.max_pool2d(ins[0], a["kernel_shape"], a["strides"], a["pads"][:2],
                                ceil_mode=True)
        return F.max_pool2d(pad_pool(ins[0], a, -torch.inf), a["kernel_shape"], a["strides"])
    if op == "AveragePool":
        assert not any(a["pads"])
        return F.avg_pool2d(ins[0], a["kernel_shape"], a["strides"])
    if op == "GlobalAveragePool":
        return ins[0].mean((2, 3), keepdim=True)
    if op == "BatchNormalization":
        return F.batch_norm(ins[0], ins[3], ins[4], ins[1], ins[2], eps=a["epsilon"])
    if op == "Gemm":
        return F.linear(ins[0], ins[1], ins[2])
    return {"Relu": lambda: F.relu(ins[0]), "Add": lambda: ins[0] + ins[1],
            "Concat": lambda: torch.cat(ins, 1), "Dropout": lambda: ins[0],
            "Flatten": lambda: ins[0].flatten(1), "Softmax": lambda: F.softmax(ins[0], 1),
            "Reshape": lambda: ins[0].reshape(ins[1].long().tolist()),
            "LRN": lambda: lrn(ins[0], a["size"], a["alpha"], a["beta"])}[op]()


def run_onnx(folder, name, x):
    graph = onnx.load(folder / f"{name}.onnx").graph
    values = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).astype(np.float64))
              for t in graph.initializer}
    values["data"] = x
    for node in graph.node:
        a = {p.name: onnx.helper.get_attribute_value(p) for p in node.attribute}
        values[node.output[0]] = run_node(node, [values[i] for i in node.input], a)
    return values


# --- others, to agree with ----------------------------------------------------------------------

def ask_onnxruntime(folder, name, x, names):
    model = onnx.load(folder / f"{name}.onnx")
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # weights that are inputs too are meant
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    return session.run(names, {"data": x})


def ask_opencv(folder, name, x, names):
    try:
        import cv2
        net = cv2.dnn.readNetFromCaffe(str(folder / f"{name}.prototxt"),
                                       str(folder / f"{name}.caffemodel"))
    except (ImportError, AttributeError):
        return None
    net.enableFusion(False)
    net.setInput(x)
    # A layer in place takes the name of what it writes: only the last value is there.
    return [net.forward(n) for n in names]


def compare(what, ours, theirs, names):
    for key, v in zip(names, theirs):
        want = ours[key].detach().numpy().ravel()
        error = np.abs(v.ravel() - want).max() / np.abs(want).max()
        assert error < 1e-4, f"{what} {key}: {error:.1e}"
        print(f"{what} {key}: differs by {error:.1e} of the largest value")


def line(key, value):
    flat = value.detach().numpy().ravel()
    at = [flat[i * flat.size // SAMPLES] for i in range(SAMPLES)]
    return " ".join([key, str(flat.size)] + [f"{v:.7g}" for v in
                                             [flat.mean(), np.sqrt((flat**2).mean())] + at]) + "\n"


def main():
    folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    lines = []
    for name, (middle, logits) in NETWORKS.items():
        for form, runner, ask, other in (("caffe", run_caffe, ask_opencv, "OpenCV"),
                                         ("onnx", run_onnx, ask_onnxruntime, "ONNX Runtime")):
            picture = torch.from_numpy(np.load(folder / f"{name}.picture.npy").astype(np.float64))
            target = torch.from_numpy(np.load(folder / f"{name}.target.npy").astype(np.float64))
            picture.requires_grad_(True)
            x = picture if picture.shape[1] == 1 else picture.flip(1) * 255 - MEAN
            values = runner(folder, name, x)
            ((values["prob"] - target.reshape(values["prob"].shape))**2).mean().backward()
            theirs = ask(folder, name, x.detach().numpy().astype(np.float32),
                         [logits, "prob"])
            if theirs is None:
                print(f"{name}: no OpenCV that reads Caffe's files")
            else:
                compare(f"{name} {other}", values, theirs, [logits, "prob"])
            print(f"{name} {form}: deviation of the scores {values[logits].std():.2g}")
            for key in (middle, logits, "prob"):
                lines.append(line(f"{name} {form} {key}", values[key]))
            lines.append(line(f"{name} {form} gradient", picture.grad))
    out.write_text("".join(lines))


if __name__ == "__main__":
    main()
