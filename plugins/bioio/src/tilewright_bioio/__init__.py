"""Microscope files for tilewright by the readers of BioIO: hooks only, so that discovery imports no library."""

from __future__ import annotations

from importlib.metadata import entry_points

from tilewright import FormatSpec, hookimpl

PACKAGES = {
    ".czi": "bioio-czi",
    ".nd2": "bioio-nd2",
    ".lif": "bioio-lif",
    ".xlif": "bioio-lif",
    ".lof": "bioio-lif",
    ".dv": "bioio-dv",
    ".r3d": "bioio-dv",
    ".sldy": "bioio-sldy",
    ".vsi": "bioio-vsi",
    ".oir": "bioio-bioformats",
    ".oib": "bioio-bioformats",
    ".oif": "bioio-bioformats",
    ".zvi": "bioio-bioformats",
    ".mrxs": "bioio-bioformats",
    ".imzml": "bioio-imzml",
}
"""Suffixes, and the package with BioIO's reader for each. Those of tilewright's own readers are not among them."""

OWN = (
    *(".zarr", ".tif", ".tiff", ".btf", ".tf2", ".tf8", ".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".lsm", ".stk"),
    ".ims",
)


def is_foreign(path: str, first_bytes: bytes) -> bool:
    """Whether a file has a suffix that one of BioIO's readers is known for, or a reader that is not known is installed.

    Which reader opens it, and whether it can, BioIO finds out; its readers are slow to import.
    """
    name = path.lower().rstrip("/")
    if not first_bytes or name.endswith(OWN):
        return False
    if name.endswith(tuple(PACKAGES)):
        return True
    known = {*PACKAGES.values(), "bioio-ome-tiff", "bioio-tifffile", "bioio-ome-zarr", "bioio-imageio"}
    return any(each.name not in known for each in entry_points(group="bioio.readers"))


@hookimpl
def tilewright_readers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="bioio",
            target="tilewright_bioio.reader:BioioReader",
            summary="CZI, ND2, LIF and whatever else a reader of BioIO is installed for.",
            sniff=is_foreign,
        ),
        FormatSpec(
            name="imaris",
            target="tilewright_bioio.imaris:ImarisReader",
            summary="Images of Imaris (.ims), with their pyramid.",
            suffixes=(".ims",),
        ),
    ]
