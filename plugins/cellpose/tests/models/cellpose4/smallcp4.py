"""Cellpose 4's network with a small image encoder: all of it but the encoder's size is as shipped."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import torch
from segment_anything.modeling import ImageEncoderViT

__all__ = ["DEPTH", "HEADS", "small_encoder"]

DEPTH, FEATURES, HEADS = 3, 96, 4


def small_encoder(checkpoint: None = None) -> SimpleNamespace:
    """In the place of `segment_anything.sam_model_registry["vit_l"]`, from which `CPSAM` takes its encoder."""
    encoder = ImageEncoderViT(
        img_size=1024,
        patch_size=16,
        embed_dim=FEATURES,
        depth=DEPTH,
        num_heads=HEADS,
        mlp_ratio=2,
        out_chans=64,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        global_attn_indexes=tuple(range(DEPTH)),
        window_size=14,
    )
    return SimpleNamespace(image_encoder=encoder)
