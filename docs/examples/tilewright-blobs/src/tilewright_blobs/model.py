from functools import cache

import torch
from torch import nn

REACH = 6  # pixels that a prediction depends on to each side: two for each layer of 5 × 5
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def network():
    """A logit for each pixel: whether it lies inside of an object, away from its edge."""
    layers = []
    for channels in (1, 8, 8):
        layers += [nn.Conv2d(channels, 8, 5, padding=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(8, 1, 1))


@cache
def loaded(weights):
    """The trained network, on the GPU if there is one; read once in each process."""
    trained = network()
    trained.load_state_dict(torch.load(weights, weights_only=True))
    return trained.eval().to(DEVICE)
