"""The viewer in a real browser: headless Chromium."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import Image
from tilewright_view import Layer, Viewer, seams

playwright = pytest.importorskip("playwright.sync_api", reason="it drives the browser")
pillow = pytest.importorskip("PIL.Image", reason="it opens the screenshots")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SOFTWARE = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE)
        yield browser
        browser.close()


def layers(shape: tuple[int, ...]) -> list[Layer]:
    """A ramp of grey, one square object with the id 77 in the middle, and seams through it."""
    axes, middle = "zyx"[-len(shape) :], tuple(slice(n // 4, -(-3 * n // 4)) for n in shape)
    facts: dict[str, Any] = {"spacing": dict.fromkeys("zyx", 0.5), "units": dict.fromkeys("zyx", "micrometer")}
    pixels = np.broadcast_to(np.linspace(0, 60_000, shape[-1]), shape).astype(np.uint16)
    labels = np.zeros(shape, np.uint32)
    labels[middle] = 77
    image, cells = Image(pixels, axes, **facts), Image(labels, axes, **facts)
    tile = tuple(n // 2 for n in shape)
    return [Layer.of_image("ramp", [image]), Layer(name="cells", kind="labels", levels=(cells,)), seams([cells], tile)]


def seen(page: Any) -> NDArray[np.uint8]:
    """The pixels of the page, once nothing is loaded any more."""
    page.wait_for_load_state("networkidle")
    before = b""
    for _ in range(60):
        page.wait_for_timeout(500)
        after = page.screenshot()
        if after == before:
            break
        before = after
    return np.asarray(pillow.open(io.BytesIO(before)).convert("RGB"))


@pytest.mark.parametrize("shape", [(400, 600), (40, 200, 300)])
def test_pixels_labels_and_seams_are_drawn_without_an_error(browser: Any, shape: tuple[int, ...]) -> None:
    troubles: list[str] = []
    viewer = Viewer(layers(shape))
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(f"{request.url} failed"))
    hosts = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]) if request.url[:4] == "http" else None)
    page.goto(viewer.url)
    assert page.locator("canvas").first.is_visible()
    shown = seen(page).astype(int)
    grey = (shown.max(axis=2) - shown.min(axis=2)) < 4
    colored = (shown.max(axis=2) - shown.min(axis=2)) > 40
    yellow = (shown[..., 0] > 150) & (shown[..., 1] > 130) & (shown[..., 2] < 100)
    assert len(np.unique(shown[..., 0][grey])) > 50  # the ramp
    assert colored.sum() > 5_000  # the object
    assert yellow.sum() > 100  # seams
    page.mouse.move(*((640, 430) if len(shape) == 2 else (320, 240)))
    page.wait_for_timeout(500)
    assert "77" in page.locator(".neuroglancer-layer-panel").inner_text()
    assert hosts == {viewer.url.split("/")[2]}
    assert not troubles
    page.close()
    viewer.stop()
