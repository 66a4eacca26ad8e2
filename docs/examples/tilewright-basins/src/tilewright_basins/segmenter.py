from dataclasses import dataclass, field

from scipy import ndimage
from skimage import measure, morphology, segmentation


@dataclass(frozen=True, kw_only=True)
class Basins:
    threshold: float = field(metadata={"help": "pixels above it belong to objects"})
    radius: int = field(default=8, metadata={"help": "of a typical object, in pixels"})
    merger = "overlap"
    halo = property(lambda self: 4 * self.radius)

    def __call__(self, pixels):
        foreground = ndimage.gaussian_filter(pixels, 1, output=float) > self.threshold
        depth = ndimage.distance_transform_edt(foreground)
        centres = measure.label(morphology.h_maxima(depth, self.radius / 8))
        return segmentation.watershed(-depth, centres, mask=foreground)
