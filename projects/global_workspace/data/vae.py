"""Define the variational autoencoders of both domains in torch: networks and loss.

Kingma and Welling 2014, arXiv:1312.6114; beta: Higgins et al. 2017. Layers, activations and losses are those of
ruflab/shimmer-ssd (modules/vae.py, modules/domains; MIT); the width is a setting, so that a small one trains in
seconds. A latent is the posterior mean.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from projects.global_workspace.data.config import N_VECTOR, AttributeVaeConfig, VisualVaeConfig
from projects.global_workspace.data.labels import N_CLASSES


class VisualVae(nn.Module):
    """Maps pictures (b, 3, 32, 32) in [0, 1] to latents (b, latent) and back; Gaussian error of variance 1."""

    def __init__(self, config: VisualVaeConfig) -> None:
        super().__init__()
        w, self.beta = config.width, config.beta
        sizes = [3, w, 2 * w, 4 * w, 8 * w]
        blocks: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):  # 32 -> 16 -> 8 -> 4 -> 2 pixels
            blocks += [nn.Conv2d(n_in, n_out, 4, stride=2, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]
        self.encoder = nn.Sequential(*blocks, nn.Flatten())  # (b, 3, 32, 32) -> (b, 32 w)
        self.heads = nn.Linear(8 * w * 2 * 2, 2 * config.latent)
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (config.latent, 1, 1)),
            *(nn.ConvTranspose2d(config.latent, 8 * w, 8), nn.BatchNorm2d(8 * w), nn.ReLU()),  # (b, 8 w, 8, 8)
            *(nn.ConvTranspose2d(8 * w, 4 * w, 4, stride=2, padding=1), nn.BatchNorm2d(4 * w), nn.ReLU()),
            *(nn.ConvTranspose2d(4 * w, 2 * w, 4, stride=2, padding=1), nn.BatchNorm2d(2 * w), nn.ReLU()),
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(2 * w, 3, 4, padding=1),  # (b, 3, 32, 32)
            nn.Sigmoid(),
        )

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latent, each (b, latent)."""
        mean, log_variance = self.heads(self.encoder(x)).chunk(2, dim=1)
        return mean, log_variance

    def error(self, z: Tensor, x: Tensor) -> Tensor:
        """Return the negative log likelihood of x given z without its constant, summed over pixels and batch."""
        return (self.decoder(z) - x).square().sum() / 2


class AttributeVae(nn.Module):
    """Maps attribute vectors (b, 11) to latents (b, latent) and back.

    The error is the cross-entropy of the class, and Gaussian for the rest.
    """

    def __init__(self, config: AttributeVaeConfig) -> None:
        super().__init__()
        h, self.beta = config.hidden, config.beta
        self.encoder = nn.Sequential(
            *(nn.Linear(N_VECTOR, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, config.latent), nn.ReLU())
        )
        self.heads = nn.Linear(config.latent, 2 * config.latent)
        self.decoder = nn.Sequential(nn.Linear(config.latent, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU())
        self.classes = nn.Linear(h, N_CLASSES)
        self.rest = nn.Sequential(nn.Linear(h, N_VECTOR - N_CLASSES), nn.Tanh())

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latent, each (b, latent)."""
        mean, log_variance = self.heads(self.encoder(x)).chunk(2, dim=1)
        return mean, log_variance

    def error(self, z: Tensor, x: Tensor) -> Tensor:
        """Return the negative log likelihood of x given z without its constant, summed over columns and batch."""
        hidden = self.decoder(z)
        class_error = cross_entropy(self.classes(hidden), x[:, :N_CLASSES].argmax(1), reduction="sum")
        return class_error + (self.rest(hidden) - x[:, N_CLASSES:]).square().sum() / 2


Vae = VisualVae | AttributeVae


def loss(vae: Vae, x: Tensor, noise: Tensor) -> Tensor:
    """Return the negative evidence lower bound of a batch with its KL divergence times beta, a mean over the batch.

    Args:
        vae: either network.
        x: the batch, (b, ...).
        noise: standard normal, (b, latent).
    """
    mean, log_variance = vae.posterior(x)
    z = mean + noise * (log_variance / 2).exp()
    divergence = kl_divergence(mean, log_variance).sum()
    return (vae.error(z, x) + vae.beta * divergence) / len(x)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Compute the KL divergence of N(mean, variance) from N(0, 1) in nats, by latent: (b, latent)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2
