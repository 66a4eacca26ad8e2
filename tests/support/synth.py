"""Made-up fluorescence images of nuclei, in two or three dimensions and of any size, with the exact labels.

Every pixel depends on the seed and its own place alone, so that a window rendered by itself equals the same window cut
out of the whole, and an image takes no memory before it is read:

    image = Synth((20_000, 20_000), "tissue", seed=1)
    pixels, labels = image.read((slice(0, 2048), slice(4096, 6144)))
    pixels, labels = make((512, 512), "medium", seed=3)  # the whole, its objects numbered from 1

Candidates for an object sit on a jittered grid, and all that is random about one comes from a hash of its grid cell. It
is kept with a probability that varies smoothly over the image, and dropped if a candidate of higher priority is closer
than `sep` radii (Matérn's second thinning, which is local): below 1 objects touch. Objects are star-convex; where two
overlap, a pixel is that one's in whose normalised radius it lies deeper, so they share one exact border. The picture is
their domes with texture and a dim rim, blurred, on an uneven background, with shot and read noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

Window = tuple[slice, ...]
Floats = NDArray[np.floating[Any]]

# pitch: grid cells in radii; presence: share of candidates kept; sep: least distance; hetero: unevenness of density
PRESETS = {
    "sparse": {"pitch": 4.5, "presence": 0.35, "sep": 1.05, "hetero": 0.8},
    "medium": {"pitch": 2.6, "presence": 0.60, "sep": 0.85, "hetero": 0.8},
    "dense": {"pitch": 2.0, "presence": 0.85, "sep": 0.75, "hetero": 0.5},
    "tissue": {"pitch": 1.75, "presence": 0.97, "sep": 0.62, "hetero": 0.15},  # nearly confluent
}
# lengths in pixels, brightness in grey values; `_sd` are relative; z_scale < 1: planes further apart than pixels
DEFAULTS = {
    "radius": 11.0, "radius_sd": 0.14, "elong": 0.25, "bumpy": 0.05, "jitter": 0.38,
    "brightness": 110.0, "brightness_sd": 0.35, "background": 30.0, "illum": 0.3, "psf": 1.0, "texture": 0.25,
    "shot": 1.0, "read_noise": 3.0, "z_scale": 1.0,
}  # fmt: skip
GRAIN = 1.6  # standard deviation of the texture, in pixels
LATTICE = 16  # pixels between which the illumination is interpolated


class Objects(NamedTuple):
    """Objects: the number of each one's grid cell, its centre and its mean radius."""

    cell: NDArray[np.int64]
    centre: Floats
    radius: Floats


class Synth:
    """An image that is rendered where it is read: `kind="cells"` has a last axis of two channels, body and nucleus."""

    dtype = np.dtype("uint16")

    def __init__(
        self, shape: tuple[int, ...], preset: str = "medium", seed: int = 0, *, kind: str = "nuclei", **options: float
    ) -> None:
        self.shape, self.ndim, self.seed, self.kind = tuple(shape), len(shape), seed, kind
        volume = {"radius": 8.0} if self.ndim == 3 else {}
        self.options = {**DEFAULTS, **PRESETS[preset], **volume, **options}
        radius = self.options["radius"]
        self.scale = np.array([self.options["z_scale"], 1, 1][-self.ndim :] if self.ndim == 3 else [1.0, 1.0])
        closer = 0.97 if self.ndim == 3 else 1.0
        self.pitch = np.maximum(2, self.options["pitch"] * closer * radius * self.scale)
        self.cells = np.ceil(np.array(self.shape) / self.pitch).astype(np.int64)
        spread = (1 + 2.5 * self.options["radius_sd"]) * (1 + self.options["elong"]) * (1 + 3 * self.options["bumpy"])
        self.reach = (radius * spread + 1) * self.scale
        rng = np.random.default_rng([seed, 77])
        self._waves = []
        for length in (12 * radius, 60 * radius):
            frequencies = rng.normal(size=(6, self.ndim)) * 2 * np.pi / length / 1.5
            self._waves.append((frequencies, rng.uniform(0, 2 * np.pi, 6)))

    def read(self, window: Window | None = None) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
        """Pixels and labels of a window; an object has the same label in every window."""
        window = self._whole(window)
        margin = int(np.ceil(3 * max(self.options["psf"], GRAIN))) + 3
        padded = tuple(slice(max(0, w.start - margin), min(n, w.stop + margin)) for w, n in _zip(window, self.shape))
        inner = tuple(slice(w.start - p.start, w.stop - p.start) for w, p in _zip(window, padded))
        bodies, nuclei, labels = self._draw(padded)
        pixels = self._render(bodies, window, padded, inner, 0)
        if self.kind == "cells":
            pixels = np.stack([pixels, self._render(nuclei, window, padded, inner, 1)], -1)
        return pixels, np.ascontiguousarray(labels[inner])

    def __getitem__(self, window: Any) -> NDArray[np.uint16]:
        """The pixels of a window, so that an image can be handed to whatever slices arrays."""
        parts = window if isinstance(window, tuple) else (window,)
        parts += (slice(None),) * (self.ndim - len(parts))
        return self.read(tuple(slice(*part.indices(n)) for part, n in _zip(parts, self.shape)))[0]

    def tiles(self, size: int) -> Iterator[tuple[Window, NDArray[np.uint16], NDArray[np.int32]]]:
        """The image window by window, `size` pixels along each axis."""
        for index in np.ndindex(*(-(-n // size) for n in self.shape)):
            window = tuple(slice(i * size, min(n, (i + 1) * size)) for i, n in _zip(index, self.shape))
            yield window, *self.read(window)

    def objects(self, window: Window | None = None) -> Objects:
        """The objects of which a window may show something."""
        window = self._whole(window)
        first = np.array([w.start for w in window]) - self.reach
        last = np.array([w.stop for w in window]) + self.reach
        around = 2 * self.reach + self.pitch  # from where a candidate can suppress one of these
        low = np.floor((first - around) / self.pitch).astype(int) - 1
        high = np.ceil((last + around) / self.pitch).astype(int) + 1
        found, priority = self._candidates(np.maximum(low, 0), np.minimum(high, self.cells))
        kept = np.ones(len(found.cell), bool)
        if not kept.size:
            return found
        places, sep = found.centre / self.scale, self.options["sep"]
        near = cKDTree(places).query_pairs(sep * 2 * found.radius.max(), output_type="ndarray")
        one, other = near.T
        distance = np.linalg.norm(places[one] - places[other], axis=1)
        close = distance < sep * (found.radius[one] + found.radius[other])
        one, other = one[close], other[close]
        kept[np.where(priority[one] < priority[other], one, other)] = False
        kept &= ((found.centre >= first) & (found.centre < last)).all(axis=1)
        return Objects(*(values[kept] for values in found))

    def _candidates(self, low: NDArray[Any], high: NDArray[Any]) -> tuple[Objects, Floats]:
        """The candidates in a box of grid cells, and their priorities."""
        box = [np.arange(a, b) for a, b in _zip(low, high)]
        grid = np.stack(np.meshgrid(*box, indexing="ij"), -1).reshape(-1, self.ndim)
        cell = np.ravel_multi_index(tuple(grid.T), tuple(self.cells))
        jitter = np.stack([self._uniform(cell, 10 + axis) - 0.5 for axis in range(self.ndim)], -1)
        centre = grid + 0.5 + jitter * 2 * self.options["jitter"]
        centre[:, -1] += (grid[:, -2] % 2) * 0.5 - 0.25  # every other row is shifted, as in a hexagonal packing
        centre *= self.pitch
        radius = self.options["radius"] * (1 + self.options["radius_sd"] * self._normal(cell, 20))
        density = np.clip(1 + self.options["hetero"] * 1.4 * self._field(0, centre), 0, None)
        kept = self._uniform(cell, 30) < self.options["presence"] * density
        kept &= ((centre >= 1) & (centre < np.array(self.shape) - 2)).all(axis=1)
        return Objects(cell[kept], centre[kept], radius[kept]), self._uniform(cell, 31)[kept]

    def _draw(self, window: Window) -> tuple[Floats, Floats, NDArray[np.int32]]:
        """Brightness of the bodies and of the nuclei within them, and the labels."""
        shape = tuple(w.stop - w.start for w in window)
        depth = np.full(shape, 1.0, np.float32)
        labels = np.zeros(shape, np.int32)
        bodies, nuclei = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        found = self.objects(window)
        forms = self._forms(found.cell)
        bright = self.options["brightness"] * np.exp(self.options["brightness_sd"] * self._normal(found.cell, 80))
        for k, cell in enumerate(found.cell):
            drawn = self._depth(forms, k, found.centre[k], found.radius[k], window)
            if drawn is None:
                continue
            box, q = drawn
            own = q < depth[box]
            depth[box][own] = q[own]
            labels[box][own] = cell + 1
            dome = bright[k] * (0.55 + 0.45 * np.sqrt(np.clip(1 - q * q, 0, 1)))
            if self.kind == "cells":
                dome *= 0.7
                nuclei[box][own] = np.where(q[own] < 0.55, bright[k] * 1.2, 0)
            dome *= np.clip((1.03 - q) / 0.18, 0.25, 1)  # a dim rim tells objects that touch apart
            bodies[box][own] = dome[own]
        return bodies, nuclei, labels

    def _forms(self, cell: NDArray[np.int64]) -> dict[str, Floats]:
        """The random numbers of the objects' shapes."""
        forms = {"long": 1 + self.options["elong"] * self._uniform(cell, 40)}
        if self.ndim == 2:
            angle = np.pi * self._uniform(cell, 41)
            forms["cos"], forms["sin"] = np.cos(angle), np.sin(angle)
            bumps = [self.options["bumpy"] * self._normal(cell, 50 + k) / (k - 1) for k in (2, 3, 4)]
            forms["bumps"] = np.stack(bumps, -1)
            forms["phases"] = np.stack([2 * np.pi * self._uniform(cell, 60 + k) for k in (2, 3, 4)], -1)
        else:
            forms["wide"] = 1 + self.options["elong"] * self._uniform(cell, 42)
            random = np.stack([self._normal(cell, 70 + k) for k in range(9)], -1).reshape(-1, 3, 3)
            forms["turn"] = np.linalg.qr(random)[0] if len(random) else random
        return forms

    def _depth(
        self, forms: dict[str, Floats], k: int, centre: Floats, radius: float, window: Window
    ) -> tuple[Window, Floats] | None:
        """An object's box within the window, and the normalised radius of each pixel therein: the object is below 1."""
        extent = radius * (1 + self.options["elong"]) * (1 + 3 * self.options["bumpy"]) * self.scale + 1
        box = []
        for c, e, w in _zip(centre, extent, window):
            low, high = max(int(np.floor(c - e)), w.start), min(int(np.ceil(c + e)) + 1, w.stop)
            if high <= low:
                return None
            box.append(slice(low - w.start, high - w.start))
        offsets = [
            ((np.arange(part.start, part.stop) + w.start - c) / s).astype(np.float32)
            for part, w, c, s in _zip(box, window, centre, self.scale)
        ]
        form = {name: np.float32(values[k]) for name, values in forms.items() if name not in ("bumps", "phases")}
        if self.ndim == 3:
            return tuple(box), self._depth_in_space(form, radius, *np.ix_(*offsets))
        return tuple(box), self._depth_in_plane(form, forms["bumps"][k], forms["phases"][k], radius, *np.ix_(*offsets))

    def _depth_in_plane(self, form: Any, bumps: Floats, phases: Floats, radius: float, y: Floats, x: Floats) -> Floats:
        along, across = (y * form["cos"] + x * form["sin"]) * form["long"], (x * form["cos"] - y * form["sin"])
        q = np.sqrt(along**2 + (across / form["long"]) ** 2) / np.float32(radius)
        if not self.options["bumpy"]:
            return q
        turn = (x + 1j * y).astype(np.complex64) / (np.sqrt(y * y + x * x) + np.float32(1e-3))
        power, factor = turn, np.float32(1)
        for bump, phase in _zip(bumps, phases):
            power = power * turn
            factor = factor + np.float32(bump * np.cos(phase)) * power.real
            factor = factor - np.float32(bump * np.sin(phase)) * power.imag
        return q / factor

    def _depth_in_space(self, form: Any, radius: float, z: Floats, y: Floats, x: Floats) -> Floats:
        turn, long, wide = form["turn"], form["long"], form["wide"]
        u, v, w = (turn[0, j] * z + turn[1, j] * y + turn[2, j] * x for j in range(3))
        q = np.sqrt((u * long) ** 2 + (v / long * wide) ** 2 + (w / wide) ** 2) / np.float32(radius)
        if not self.options["bumpy"]:
            return q
        n = np.sqrt(z * z + y * y + x * x) + np.float32(1e-3)
        return q / (1 + np.float32(self.options["bumpy"] * 1.5) * ((u * v + v * w) / (n * n) + (w / n) ** 3))

    def _render(
        self, bright: Floats, window: Window, padded: Window, inner: Window, channel: int
    ) -> NDArray[np.uint16]:
        """Texture, blur, illumination and noise over what was drawn."""
        options = self.options
        if options["texture"]:
            grain = ndimage.gaussian_filter(self._noise(padded, 100 + channel), GRAIN * self.scale, truncate=3) * 4.5
            bright = bright * np.clip(1 + options["texture"] * grain, 0.2, 3)
        pixels = ndimage.gaussian_filter(bright, options["psf"] * np.maximum(self.scale, 0.6), truncate=3)[inner]
        light = self._light(window)
        pixels = (pixels + options["background"] * (1 + 0.3 * light)) * np.clip(1 + options["illum"] * light, 0.2, 2)
        shot = np.sqrt(np.maximum(pixels, 0) * options["shot"] + options["read_noise"] ** 2)
        pixels = pixels + self._noise(window, 200 + channel) * shot
        return np.clip(np.rint(pixels), 0, 65535).astype(np.uint16)

    def _light(self, window: Window) -> Floats:
        """The smooth field of the illumination, interpolated between the points of a lattice."""
        low = [w.start // LATTICE for w in window]
        points = [np.arange(a, (w.stop - 1) // LATTICE + 2) * LATTICE for a, w in _zip(low, window)]
        field = self._field(1, np.stack(np.meshgrid(*points, indexing="ij"), -1).astype(float)).astype(np.float32)
        for axis, (w, a) in enumerate(_zip(window, low)):
            x = np.arange(w.start, w.stop)
            i = x // LATTICE - a
            share = ((x % LATTICE) / LATTICE).astype(np.float32)
            share = share.reshape([-1 if other == axis else 1 for other in range(self.ndim)])
            field = np.take(field, i, axis) * (1 - share) + np.take(field, i + 1, axis) * share
        return field

    def _noise(self, window: Window, channel: int) -> Floats:
        """Normal noise, drawn block by block from a generator whose key is the block's place."""
        length = 512 if self.ndim == 2 else 64
        out = np.empty([w.stop - w.start for w in window], np.float32)
        for block in np.ndindex(*((w.stop - 1) // length - w.start // length + 1 for w in window)):
            place = [b + w.start // length for b, w in _zip(block, window)]
            number = int(np.ravel_multi_index(place, (1 << 20,) * self.ndim))
            key = np.array([(self.seed * 7919 + channel) & 0x7FFFFFFF, number], np.uint64)
            drawn = np.random.Generator(np.random.Philox(key=key)).standard_normal((length,) * self.ndim, np.float32)
            parts = [(max(w.start, p * length), min(w.stop, (p + 1) * length)) for w, p in _zip(window, place)]
            target = tuple(slice(a - w.start, b - w.start) for (a, b), w in _zip(parts, window))
            out[target] = drawn[tuple(slice(a - p * length, b - p * length) for (a, b), p in _zip(parts, place))]
        return out

    def _field(self, which: int, places: Floats) -> Floats:
        frequencies, phases = self._waves[which]
        waves = (1 / np.sqrt(6) * np.cos(places @ k + phase) for k, phase in _zip(frequencies, phases))
        return sum(waves, np.zeros(()))

    def _uniform(self, cell: NDArray[np.int64], purpose: int) -> Floats:
        """A number of [0, 1) for each grid cell and purpose, by a counter-based hash (splitmix64)."""
        with np.errstate(over="ignore"):
            salt = _mixed(np.uint64(self.seed * 1000003 + purpose + 1) + np.zeros((), np.uint64))
            mixed = _mixed(_mixed(cell.astype(np.uint64) ^ salt))
        return (mixed >> np.uint64(11)).astype(np.float64) * (1.0 / (1 << 53))

    def _normal(self, cell: NDArray[np.int64], purpose: int) -> Floats:
        one, other = self._uniform(cell, purpose), self._uniform(cell, purpose + 5000)
        return np.clip(np.sqrt(-2 * np.log(one + 1e-12)) * np.cos(2 * np.pi * other), -2.5, 2.5)

    def _whole(self, window: Window | None) -> Window:
        window = window or (slice(None),) * self.ndim
        return tuple(slice(*w.indices(n)[:2]) for w, n in _zip(window, self.shape))


def make(
    shape: tuple[int, ...], preset: str = "medium", seed: int = 0, *, kind: str = "nuclei", **options: float
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """The pixels and labels 1..n of a whole image."""
    pixels, labels = Synth(shape, preset, seed, kind=kind, **options).read()
    present, numbered = np.unique(labels, return_inverse=True)
    return pixels, (numbered.reshape(labels.shape) + int(present[0] != 0)).astype(np.int32)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _zip(*values: Any) -> Iterator[Any]:
    return zip(*values, strict=True)
