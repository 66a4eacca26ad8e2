"""What the viewer serves, and to whom."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from tilewright import Image, open_image
from tilewright.errors import InvalidImage, NotWritable
from tilewright_view import Layer, Viewer, seams

SPACING = {"spacing": {"z": 2.0, "y": 0.5, "x": 0.25}, "units": dict.fromkeys("zyx", "micrometer")}


def picture(shape: tuple[int, ...], dtype: Any = np.uint16, **facts: Any) -> Image:
    pixels = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    return Image(pixels, "tzyx"[-len(shape) :], **(SPACING | facts))


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    image = picture((5, 70, 300))
    coarse = Image(image[:, ::2, ::2], "zyx", spacing={"z": 2.0, "y": 1.0, "x": 0.5}, units=image.units)
    cells = Image(np.arange(5 * 70 * 300, dtype=np.uint32).reshape(5, 70, 300), "zyx", **SPACING)
    layers = [Layer.of_image("image", [image, coarse]), Layer(name="cells", kind="labels", levels=(cells,))]
    made = Viewer([*layers, seams([cells], (2, 32, 64))], at={"z": 1, "y": 2, "x": 3})
    yield made
    made.stop()


def asked(viewer: Viewer, path: str, **headers: str) -> tuple[int, bytes]:
    """What the server answers to a path as it stands, which a library might tidy."""
    with closing(http.client.HTTPConnection(urlsplit(viewer.url).netloc, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def layer_path(viewer: Viewer) -> str:
    return f"/layers/{urlsplit(viewer.url).path.split('/')[2]}"


def test_a_layer_is_read_by_others_as_the_image_is(viewer: Viewer) -> None:
    top = f"http://{urlsplit(viewer.url).netloc}{layer_path(viewer)}"
    for number, layer in enumerate(viewer.layers):
        for level, image in enumerate(layer.levels):
            found = open_image(f"{top}/{number}", reader="ome-zarr", level=level)
            np.testing.assert_array_equal(found[...], image[...])
            assert (found.axes, found.spacing, found.units) == (image.axes, image.spacing, image.units)


def test_seams_lie_where_tiles_begin(viewer: Viewer) -> None:
    drawn = viewer.layers[2].levels[0][...]
    assert drawn[[2, 4]].all()
    np.testing.assert_array_equal(np.flatnonzero(drawn[1, 1]), [64, 128, 192, 256])
    np.testing.assert_array_equal(np.flatnonzero(drawn[1, :, 1]), [32, 64])
    coarse = Image(np.zeros((5, 35, 150), np.uint8), "zyx")
    np.testing.assert_array_equal(
        np.flatnonzero(seams([viewer.layers[1].levels[0], coarse], (1, 32, 64)).levels[1][0, 1]), [32, 64, 96, 128]
    )


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v/guessed/",
        "/layers/guessed/0/zarr.json",
        "{layers}/3/zarr.json",
        "{layers}/0/2/zarr.json",
        "{layers}/0/0/c/0/0/9999",
        "{layers}/0/0/c/0/0",
        "{layers}/0/../../../../../etc/passwd",
        "{layers}/0/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "{layers}/0//etc/passwd",
        "{page}../../../../../../../../etc/passwd",
        "{page}%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_nothing_is_served_but_what_was_named(viewer: Viewer, path: str) -> None:
    status, body = asked(viewer, path.format(layers=layer_path(viewer), page=urlsplit(viewer.url).path))
    assert status == 404
    assert b"root:" not in body


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize("path", ["{layers}/0/zarr.json", "{page}"])
def test_pages_from_elsewhere_and_other_names_of_the_host_are_refused(
    viewer: Viewer, headers: dict[str, str], path: str
) -> None:
    place = path.format(layers=layer_path(viewer), page=urlsplit(viewer.url).path)
    assert asked(viewer, place)[0] == 200
    assert asked(viewer, place, **headers)[0] == 403


@pytest.mark.slow
def test_a_thousand_requests_at_once_are_answered(viewer: Viewer) -> None:
    with ThreadPoolExecutor(1000) as pool:
        answers = list(pool.map(lambda _: asked(viewer, f"{layer_path(viewer)}/0/0/c/0/0/0"), range(1000)))
    assert {status for status, _ in answers} == {200}
    assert len({body for _, body in answers}) == 1


def test_the_server_listens_on_this_machine_only_and_ends(viewer: Viewer) -> None:
    assert urlsplit(viewer.url).hostname == "127.0.0.1"
    path = layer_path(viewer)
    viewer.stop()
    with pytest.raises(ConnectionRefusedError):
        asked(viewer, path)


def test_a_port_that_is_taken_is_named(viewer: Viewer) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        viewer.stop()
        with pytest.raises(NotWritable, match=rf"port {other.getsockname()[1]} of 127.0.0.1 cannot be used"):
            Viewer(viewer.layers, port=other.getsockname()[1])


@pytest.mark.parametrize(
    ("stored", "sent"),
    [("bool", "|u1"), (">u2", "<u2"), ("int16", "<i2"), ("float16", "<f4"), ("float64", "<f4"), ("int64", "<f4")],
)
def test_pixels_are_sent_in_a_dtype_that_browsers_have(stored: str, sent: str) -> None:
    image = picture((20, 30), stored)
    layer = Layer.of_image("image", [image])
    assert layer.dtype.str == sent
    np.testing.assert_array_equal(layer.piece(0, (0, 0))[:20, :30], image[...].astype(sent))


def test_labels_are_unsigned_and_integers() -> None:
    assert Layer(name="cells", kind="labels", levels=(picture((8, 8), np.int64),)).dtype.str == "<u8"
    with pytest.raises(InvalidImage, match="have dtype float32, but labels are integers"):
        Layer(name="cells", kind="labels", levels=(picture((8, 8), np.float32),))


def test_pieces_are_neither_small_nor_large() -> None:
    class Stored:
        def __init__(self, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
            self.shape, self.chunks, self.dtype = shape, chunks, np.dtype(np.uint8)

        def __getitem__(self, region: Any) -> Any:
            return np.zeros([part.stop - part.start for part in region], np.uint8)

    def piece(shape: tuple[int, ...], chunks: tuple[int, ...]) -> tuple[int, ...]:
        image = Image(Stored(shape, chunks), "tzyx"[-len(shape) :])
        return Layer(name="x", kind="seams", levels=(image,)).pieces[0]

    assert piece((100_000, 100_000), (16, 16)) == (256, 256)
    assert piece((100_000, 100_000), (1024, 1024)) == (1024, 1024)
    assert piece((100_000, 100_000), (100_000, 100_000)) == (782, 782)
    assert piece((9, 50, 5000, 5000), (1, 1, 512, 512)) == (1, 1, 512, 512)
    assert piece((20, 30), (20, 30)) == (20, 30)


def test_the_page_is_told_what_to_show(viewer: Viewer) -> None:
    state = json.loads(json.dumps(viewer._page.state.to_json()))
    assert state["dimensions"] == {"x": [2.5e-07, "m"], "y": [5e-07, "m"], "z": [2e-06, "m"]}
    assert state["position"] == [3.5, 2.5, 1.5]
    assert [each["name"] for each in state["layers"]] == ["image", "cells", "tiles"]
    assert state["layout"] == "4panel"
