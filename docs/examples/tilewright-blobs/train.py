"""Train the network on blobs that are drawn on the fly; write its weights, and an image to try it on."""

from pathlib import Path

import numpy as np
import tifffile
import torch
from scipy import ndimage
from tilewright_blobs.model import network
from torch import nn

WEIGHTS = Path(__file__).with_name("src") / "tilewright_blobs" / "blobs.pt"
STEPS, IMAGES, LENGTH = 200, 4, 64


def drawn(random, length):
    """An image of blobs, some of which touch, and which pixels lie inside of one, away from its edge."""
    pixels, inside = np.zeros((2, length, length))
    y, x = np.mgrid[:length, :length]
    for _ in range(length**2 // 400):
        radius, bright = random.uniform(4, 10), random.uniform(0.4, 1)
        distance = np.hypot(y - random.uniform(0, length), x - random.uniform(0, length))
        pixels[distance < radius] = bright
        inside[distance < radius] = 0
        inside[distance < radius - 2] = 1
    return ndimage.gaussian_filter(pixels, 1) + random.normal(0, 0.05, pixels.shape), inside


def train(random):
    """A network that has seen STEPS batches of IMAGES images."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # several threads take longer for images as small as these
    trained = network()
    optimizer = torch.optim.Adam(trained.parameters(), lr=0.01)
    for step in range(1, STEPS + 1):
        images = np.array([drawn(random, LENGTH) for _ in range(IMAGES)], np.float32)
        pixels, inside = torch.from_numpy(images).split(1, dim=1)
        loss = nn.functional.binary_cross_entropy_with_logits(trained(pixels), inside)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.2f}")
    return trained


if __name__ == "__main__":
    random = np.random.default_rng(0)
    torch.save(train(random).state_dict(), WEIGHTS)
    pixels, _ = drawn(random, 512)
    tifffile.imwrite("blobs.tif", np.clip(1000 + 2000 * pixels, 0, None).astype(np.uint16))
