from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters():
    return [Spec(name="watershed", target="tilewright_watershed.segmenter:Watershed", summary="Parts round objects.")]
