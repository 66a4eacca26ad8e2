"""Train the small model of Cellpose 4 from scratch, with Cellpose's own training.

    cd plugins/cellpose/tests/models; PYTHONPATH=../../../../tests/support:. python cellpose4/train.py FOLDER

23 minutes of two busy CPUs. So small a transformer only learns from a start that knows what a neighbourhood is.
"""

from __future__ import annotations

import logging
import math
import sys
from pathlib import Path

import numpy as np
import small_cellpose
import torch
from cellpose import train
from smallcp4 import HEADS
from training import images

COUNTS = {"medium": 40, "dense": 50, "tissue": 60}
EXACT = ("diam_mean", "diam_labels")  # not stored in half precision


def main(folder: Path) -> None:
    """Write `nuclei_small_cp4.pt` there."""
    logging.basicConfig(level=logging.INFO)
    torch.manual_seed(0)
    np.random.seed(0)  # Cellpose draws from it
    small_cellpose.narrow()
    from cellpose.vit import CPSAM

    net = CPSAM(dtype=torch.float32, rdrop=0.0)
    with torch.no_grad():
        start(net.encoder)
    pixels, labels = images(COUNTS, 320)
    for rate, epochs in ((1.5e-3, 90), (4e-4, 18)):
        trained, *_ = train.train_seg(
            net, train_data=pixels, train_labels=labels, normalize=True, rescale=False, scale_range=0.5, batch_size=4,
            learning_rate=rate, weight_decay=0.01, n_epochs=epochs, nimg_per_epoch=20, min_train_masks=1,
            save_path=str(folder), model_name="nuclei_small_cp4", save_every=10**6,
        )  # fmt: skip
    Path(trained).unlink()
    half = {n: w.half() if w.is_floating_point() and n not in EXACT else w for n, w in net.state_dict().items()}
    torch.save(half, folder / "nuclei_small_cp4.pt")


def start(encoder: torch.nn.Module) -> None:
    """An embedding of patches that loses nothing, positions as waves, and attention to the nearest tokens.

    The embedding is never trained, as Cellpose uses its values and not the parameter. The attention is as in ConViT
    (d'Ascoli et al., 2021), through the terms of relative position: each head looks one token up, down, left or right.
    """
    embedding = encoder.patch_embed.proj
    features = len(embedding.weight)
    embedding.weight.zero_()
    embedding.weight[:64, 0] = torch.linalg.qr(torch.randn(64, 64))[0].reshape(64, 8, 8)
    embedding.weight[64:, 0] = torch.randn(features - 64, 8, 8) / 8
    embedding.bias.zero_()
    encoder.pos_embed[:] = waves(features)
    for block in encoder.blocks:
        look_around(block.attn, features)


def waves(features: int, tokens: int = 32) -> torch.Tensor:
    """Sines and cosines of both positions, (tokens, tokens, features)."""
    frequencies = torch.exp(-torch.arange(features // 4) / (features // 4) * math.log(64.0))
    phases = torch.arange(float(tokens))[:, None] * frequencies
    along = torch.cat([phases.sin(), phases.cos()], 1)
    down, right = along[:, None].expand(-1, tokens, -1), along[None].expand(tokens, -1, -1)
    return 0.5 * torch.cat([down, right], -1)


def look_around(attention: torch.nn.Module, features: int) -> None:
    """Let a query's first components be constant, and the keys' terms of position prefer what is near."""
    width = features // HEADS
    attention.qkv.weight[: 2 * features] *= 0.3
    attention.qkv.bias.zero_()
    offset = (torch.arange(127.0) - 63) / 2  # in tokens: the table is for twice as many
    for table, component in ((attention.rel_pos_h, 1), (attention.rel_pos_w, 2)):
        table.normal_(std=0.02)
        table[:, 0] = -0.7 * offset**2
        table[:, component] = offset
    for head, (down, right) in enumerate(((1.4, 0.0), (-1.4, 0.0), (0.0, 1.4), (0.0, -1.4))):
        attention.qkv.bias[head * width : head * width + 3] = torch.tensor([1.0, down, right])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
