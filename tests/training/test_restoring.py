"""What was exported can be trained on: restored weights answer as the file does."""

from pathlib import Path

import pytest
import torch
from torch import nn

from geometry.errors import InputError
from perception.occupancy.stall_crops import HEIGHT_PX, WIDTH_PX
from training.appearance_network import Appearance
from training.detector_network import Detector
from training.export import export
from training.restoring import load_weights
from training.stall_network import StallNetwork

CASES = {
    "detector": (Detector, (2, 3, 64, 96), ["rows"]),
    "appearance": (Appearance, (2, 3, 96, 96), ["embedding", "kinds", "colours"]),
    "stalls": (StallNetwork, (2, 7, HEIGHT_PX, WIDTH_PX), ["log_odds"]),
}


def trained(make: type[nn.Module]) -> nn.Module:
    """Return a network whose batch norms are not what they were at the start."""
    torch.manual_seed(1)
    network = make()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.2)
            layer.running_mean.normal_(std=0.2)
            layer.running_var.uniform_(0.5, 1.5)
    return network.eval()


def answers(network: nn.Module, pictures: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        found = network.eval()(pictures)
    return list(found) if isinstance(found, tuple) else [found]


@pytest.mark.parametrize("name", CASES)
def test_an_export_restored_answers_as_it_did_and_goes_on(name: str, tmp_path: Path) -> None:
    make, shape, outputs = CASES[name]
    network, pictures = trained(make), torch.rand(shape)
    export(network, pictures[:1], tmp_path / "w.onnx", {}, outputs)
    again = make()
    load_weights(again, tmp_path / "w.onnx", torch.rand(shape))
    assert again.training, "its norms go on learning"
    for told, true in zip(answers(again, pictures), answers(network, pictures), strict=True):
        torch.testing.assert_close(told, true, atol=2e-4, rtol=1e-3)
    sum(part.square().mean() for part in again.train()(pictures)).backward()
    assert all(each.grad is None or each.grad.isfinite().all() for each in again.parameters())


def test_norms_get_the_statistics_of_the_pictures_back(tmp_path: Path) -> None:
    """Trained on, they use those of a batch: answers to the very pictures stay what they were."""
    network, pictures = trained(StallNetwork), torch.rand(64, 7, HEIGHT_PX, WIDTH_PX)
    export(network, pictures[:1], tmp_path / "w.onnx", {}, ["log_odds"])
    again = StallNetwork()
    load_weights(again, tmp_path / "w.onnx", pictures)
    with torch.no_grad():
        torch.testing.assert_close(again.train()(pictures), network(pictures), atol=5e-2, rtol=1e-2)


def test_a_checkpoint_is_loaded_and_another_network_refused(tmp_path: Path) -> None:
    network = trained(StallNetwork)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    again, pictures = StallNetwork(), torch.rand(2, 7, HEIGHT_PX, WIDTH_PX)
    load_weights(again, tmp_path / "w.pt", pictures)
    assert torch.equal(again.eval()(pictures), network(pictures))
    export(network, pictures[:1], tmp_path / "w.onnx", {}, ["log_odds"])
    for file in ("w.pt", "w.onnx"):
        with pytest.raises(InputError, match="another network"):
            load_weights(Detector(), tmp_path / file, torch.rand(1, 3, 64, 96))
    (tmp_path / "bad.pt").write_bytes(b"none")
    (tmp_path / "bad.onnx").write_bytes(b"none")
    for file in ("bad.pt", "bad.onnx", "missing.pt", "missing.onnx"):
        with pytest.raises(InputError, match="can't be read"):
            load_weights(StallNetwork(), tmp_path / file, pictures)
    export(trained(Appearance), torch.rand(1, 3, 96, 96), tmp_path / "a.onnx", {}, CASES["appearance"][2])
    with pytest.raises(InputError, match=r"more layers|for a layer"):
        load_weights(StallNetwork(), tmp_path / "a.onnx", pictures)
