"""The server: neuroglancer's own, which also answers for the layers of a viewer, on the loopback address."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Any, cast

from neuroglancer import Viewer as Neuroglancer
from neuroglancer import server as neuroglancer_server
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, ErrorHandler, HTTPError, RequestHandler

from tilewright.errors import NotWritable

from .layers import Layer
from .state import state_of
from .zarr import metadata, place_of

__all__ = ["Viewer"]

HOST = "127.0.0.1"

logger = logging.getLogger("tilewright")


class Viewer:
    """Layers that are shown in a browser on this machine.

    at: the pixel of the first layer, by axis, that is in the middle; all of it is shown by default.
    port: 0 for any that is free.

    url: where a browser opens it.

    They are served from when the viewer is made until `stop`. Nothing else is served but neuroglancer's page, to nobody
    without the random token in `url`, and to no page from elsewhere. NotWritable if the port is taken.
    """

    def __init__(self, layers: Sequence[Layer], *, at: Mapping[str, int] | None = None, port: int = 0) -> None:
        self.layers = tuple(layers)
        self._server = _started(port)
        # which asks for no credentials, as a viewer with a token of neuroglancer's would
        self._page = Neuroglancer(token=secrets.token_urlsafe(24))
        units = self.layers[0].levels[0].units
        documents = [metadata(layer, units) for layer in self.layers]
        top = f"/layers/{self._page.token}"
        served = {"layers": self.layers, "documents": documents}
        self._server.app.add_handlers(".*", [(rf"{top}/(\d+)/(.+)", _Pixels, served), ("/favicon.ico", _NoIcon)])
        urls = [f"{self._server.server_url}{top}/{number}" for number in range(len(self.layers))]
        self._page.set_state(state_of(self.layers, urls, units, at))
        self.url = str(self._page.get_viewer_url())

    def stop(self) -> None:
        """Serve nothing any more."""
        neuroglancer_server.stop()


class _Server(neuroglancer_server.Server):  # type: ignore[misc]  # neuroglancer has no types
    """neuroglancer's server, which refuses what another page or a name of another host asks for."""

    def _attempt_to_start_server(self) -> None:
        super()._attempt_to_start_server()
        self.http_server.request_callback = _Guard(self.app, f"{HOST}:{self.port}")


class _Guard(Router):
    def __init__(self, app: Application, host: str) -> None:
        self._app, self._refused, self._host = app, Application([(".*", ErrorHandler, {"status_code": 403})]), host

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        own = f"http://{self._host}"
        allowed = request.host == self._host and request.headers.get("Origin", own) == own
        return (self._app if allowed else self._refused).find_handler(request, **kwargs)


def _started(port: int) -> _Server:
    """The server of this process, which all viewers share."""
    if neuroglancer_server.global_server is None:
        try:
            with socket.socket() as probe:  # tornado would leave one open that cannot be bound
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
            neuroglancer_server.global_server = _Server(bind_address=HOST, bind_port=port)
        except OSError as error:
            raise NotWritable(
                f"port {port} of {HOST} cannot be used: {error.strerror}; give another one (--port)"
            ) from error
    return cast("_Server", neuroglancer_server.global_server)


class _NoIcon(RequestHandler):
    """For browsers, which ask for it whatever a page says."""

    def get(self) -> None:
        self.set_status(204)


class _Pixels(RequestHandler):
    """A layer's documents and pieces."""

    def initialize(self, layers: Sequence[Layer], documents: Sequence[Mapping[str, Any]]) -> None:
        self.layers, self.documents = layers, documents

    async def get(self, number: str, key: str) -> None:
        if int(number) >= len(self.layers):
            raise HTTPError(404)
        layer, document, place = self.layers[int(number)], self.documents[int(number)].get(key), place_of(key)
        if document is not None:
            self.finish(json.dumps(document))
        elif place is None or place[0] >= len(layer.levels):
            raise HTTPError(404)
        else:
            self.set_header("Content-Type", "application/octet-stream")
            self.finish(await self._read(layer, *place))

    async def _read(self, layer: Layer, level: int, place: tuple[int, ...]) -> bytes:
        executor = neuroglancer_server.global_server.executor
        try:
            piece = await asyncio.get_running_loop().run_in_executor(executor, layer.piece, level, place)
        except IndexError as error:
            raise HTTPError(404) from error
        except Exception as error:
            logger.warning("%s cannot be read at %s of level %d: %s", layer.name, place, level, error)
            raise HTTPError(500) from error
        return piece.tobytes()
