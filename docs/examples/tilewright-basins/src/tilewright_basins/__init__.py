from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters():
    return [Spec(name="basins", target="tilewright_basins.segmenter:Basins", summary="Parts round objects.")]
