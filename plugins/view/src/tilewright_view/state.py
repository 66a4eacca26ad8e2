"""What the page shows first, as neuroglancer's state.

https://neuroglancer-docs.web.app/json/api/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .layers import Layer

__all__ = ["state_of"]

METERS = {"meter": 1.0, "millimeter": 1e-3, "micrometer": 1e-6, "nanometer": 1e-9, "angstrom": 1e-10}
SECONDS = {"second": 1.0, "millisecond": 1e-3, "minute": 60.0, "hour": 3600.0}
SCREEN = 900  # pixels, into which an image is fitted

IMAGE = """#uicontrol invlerp contrast(range=[{low}, {high}])
#uicontrol vec3 color color(default="{color}")
void main() {{ emitRGB(color * contrast()); }}
"""
SEAMS = """#uicontrol vec3 color color(default="{color}")
void main() {{
  if (toRaw(getDataValue()) > 0u) {{ emitRGBA(vec4(color, 0.7)); }} else {{ emitTransparent(); }}
}}
"""


def state_of(
    layers: Sequence[Layer], urls: Sequence[str], units: Mapping[str, str], at: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """The state for layers that lie at some URLs. at: the pixel of the first layer in the middle; None shows all."""
    finest = layers[0].levels[0]
    shape = dict(zip(finest.axes, finest.shape, strict=True))
    axes = [axis for axis in "xyzt" if axis in shape]
    middle = {axis: (at or {}).get(axis, n // 2 if axis in "zyx" else 0) for axis, n in shape.items()}
    spatial = [axis for axis in axes if axis != "t"]
    return {
        "dimensions": {axis: _dimension(finest.spacing.get(axis, 1.0), units.get(axis, "")) for axis in axes},
        "displayDimensions": spatial,
        "position": [middle[axis] + 0.5 for axis in axes],
        "crossSectionScale": 1.0 if at else max(1.0, max(shape[axis] for axis in spatial[:2]) / SCREEN),
        "layout": "4panel" if shape.get("z", 1) > 1 else "xy",
        "showAxisLines": False,
        "crossSectionBackgroundColor": "#000000",
        "layers": [_layer(layer, url) for layer, url in zip(layers, urls, strict=True)],
    }


def _dimension(step: float, unit: str) -> list[Any]:
    if unit in METERS:
        return [step * METERS[unit], "m"]
    return [step * SECONDS[unit], "s"] if unit in SECONDS else [step, ""]


def _layer(layer: Layer, url: str) -> dict[str, Any]:
    shown = {"name": layer.name, "source": f"{url}/|zarr3:"}
    if layer.kind == "labels":
        return shown | {"type": "segmentation", "tab": "source", "selectedAlpha": 0.4, "hideSegmentZero": True}
    low, high = layer.contrast
    shader = SEAMS if layer.kind == "seams" else IMAGE
    blend = {"blend": "additive", "opacity": 1.0} if layer.kind == "image" else {"opacity": 1.0}
    return shown | {"type": "image", "shader": shader.format(low=low, high=high, color=layer.color), **blend}
