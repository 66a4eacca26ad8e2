"""How much memory a network takes, from its layers, and how much its candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

__all__ = ["activations", "decoding", "peak"]

FLOAT32 = 4  # bytes
WORKSPACE = 2**25
CANDIDATES = {2: 60, 3: 20}  # per cent of the network's places, by its dimensions, in nearly confluent tissue
RAY = 32  # bytes, for each ray of a candidate: its distance several times, and the corners that are compared


def peak(model: Any, shape: Sequence[int]) -> int:
    """Bytes that a StarDist model takes to find candidates in pixels of these spatial lengths, beyond its weights.

    The activations, the pixels as float32 three times (normalised, padded, TensorFlow's), two copies of the output and
    two of the candidates in it, and what TensorFlow keeps for its work whatever the shape. benchmarks/memory.py
    measures it.
    """
    axes = model.config.axes.replace("C", "")
    padded: list[int] = [
        -(-length // step) * step for length, step in zip(shape, model._axes_div_by(axes), strict=True)
    ]
    channels = int(model.config.n_channel_in)
    pixels = FLOAT32 * math.prod(padded) * channels
    output = FLOAT32 * math.prod(padded) // math.prod(map(int, model.config.grid)) * int(model.config.n_rays)
    copies = 2 * output + 2 * output * CANDIDATES[len(padded)] // 100
    return activations(model.keras_model, (*padded, channels)) + 3 * pixels + copies + WORKSPACE


def decoding(model: Any, shape: Sequence[int]) -> int:
    """Bytes that it takes to make labels of these spatial lengths of candidates at half of the places in them."""
    places = math.prod(shape) // math.prod(map(int, model.config.grid))
    return FLOAT32 * math.prod(shape) + places // 2 * int(model.config.n_rays) * RAY


def activations(network: Any, shape: Sequence[int]) -> int:
    """The most bytes that a Keras network's activations take at once, for one input of that shape, channels last.

    An activation is kept until the last layer that reads it has run, and the network's outputs are kept to the end.
    """
    reads, sizes = _layers(network, shape)
    last = {tensor: step for step, (inputs, _) in enumerate(reads) for tensor in inputs}
    kept = {id(tensor) for tensor in network.outputs}
    alive: dict[int, int] = {}
    most = 0
    for step, (inputs, output) in enumerate(reads):
        alive[output] = sizes[output]
        most = max(most, sum(alive.values()))
        for tensor in inputs:
            if last[tensor] == step and tensor not in kept:
                alive.pop(tensor, None)
    return most


def _layers(network: Any, shape: Sequence[int]) -> tuple[list[tuple[list[int], int]], dict[int, int]]:
    """In the order of the layers, which tensors each reads and which it makes; and the bytes of every tensor."""
    shapes: dict[int, Any] = {id(network.inputs[0]): (1, *shape)}
    order: list[tuple[list[int], int]] = [([], id(network.inputs[0]))]
    for layer in network.layers:
        if id(layer.output) in shapes:
            continue
        inputs = layer.input if isinstance(layer.input, list | tuple) else [layer.input]
        seen = [shapes[id(tensor)] for tensor in inputs]
        shapes[id(layer.output)] = layer.compute_output_shape(seen if len(seen) > 1 else seen[0])
        order.append(([id(tensor) for tensor in inputs], id(layer.output)))
    return order, {tensor: FLOAT32 * math.prod(found) for tensor, found in shapes.items()}
