"""How pictures are disturbed for both stages of the detector."""

from kornia import augmentation


def disturbances(shuffled: float = 0.05) -> augmentation.AugmentationSequential:
    """Return what changes light, colours, sharpness and noise of a batch (N, 3, H, W) in [0, 1], each by chance.

    shuffled: share of pictures whose channels change places, so that no colour can be relied on
    """
    return augmentation.AugmentationSequential(
        augmentation.RandomBrightness((0.65, 1.4), p=0.6),
        augmentation.RandomContrast((0.65, 1.4), p=0.6),
        augmentation.RandomChannelShuffle(p=shuffled),
        augmentation.RandomGaussianBlur((5, 5), (0.3, 1.5), p=0.25),
        augmentation.RandomGaussianNoise(std=0.03, p=0.35),
        data_keys=["input"],
    )
