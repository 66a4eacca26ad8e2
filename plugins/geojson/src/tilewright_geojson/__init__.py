"""Objects as GeoJSON for tilewright: hooks only, so that discovery imports no numpy."""

from __future__ import annotations

from tilewright import FormatSpec, hookimpl


@hookimpl
def tilewright_writers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="geojson",
            target="tilewright_geojson.writer:GeoJsonObjects",
            summary="Objects as polygons, a GeoJSON FeatureCollection that QuPath imports as detections.",
            suffixes=(".geojson",),
        )
    ]


@hookimpl
def tilewright_tables() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="geojson",
            target="tilewright_geojson.table:GeoJsonTable",
            summary="Objects as polygons with their measures, a GeoJSON FeatureCollection for QuPath.",
            suffixes=(".geojson",),
        )
    ]
