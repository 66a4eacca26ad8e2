from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters():
    return [Spec(name="blobs", target="tilewright_blobs.segmenter:Blobs", summary="Round blobs, by a network.")]
