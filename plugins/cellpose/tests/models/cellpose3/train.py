"""Train the small model of Cellpose 3 from scratch, with Cellpose's own training.

    cd plugins/cellpose/tests/models; PYTHONPATH=../../../../tests/support:. python cellpose3/train.py FOLDER

13 minutes of one busy CPU. Images that need no rescaling have nuclei 22 pixels wide.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import torch
from cellpose import models, train
from smallcp3 import SmallCPnet
from training import images

DIAMETER = 22.0
COUNTS = {"sparse": 6, "medium": 30, "dense": 30, "tissue": 40}


def main(folder: Path) -> None:
    """Write `nuclei_small_cp3.pt` there."""
    logging.basicConfig(level=logging.INFO)
    torch.manual_seed(0)
    np.random.seed(0)  # Cellpose draws from it
    models.CPnet = SmallCPnet
    net = models.CellposeModel(gpu=False, pretrained_model=None, diam_mean=DIAMETER, nchan=2).net
    net.mkldnn = False  # which trains no weights
    pixels, labels = images(COUNTS, 256)
    trained, *_ = train.train_seg(
        net, train_data=pixels, train_labels=labels, channels=[0, 0], normalize=True, rescale=True, bsize=160,
        batch_size=8, learning_rate=0.003, weight_decay=1e-5, SGD=False, n_epochs=100, nimg_per_epoch=64,
        min_train_masks=1, save_path=str(folder), model_name="nuclei_small_cp3", save_every=10**6,
    )  # fmt: skip
    net.diam_labels.data[:] = DIAMETER
    net.save_model(str(trained))
    Path(trained).rename(folder / "nuclei_small_cp3.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
