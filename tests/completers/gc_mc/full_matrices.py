"""The equations of GC-MC with full matrices."""

import torch


class Literal:
    """The equations with full matrices, as the paper writes them: one-hot inputs, one adjacency
    matrix for each level."""

    def __init__(self, train, accumulation, normalization):
        self.train, self.accumulation = train, accumulation
        self.values = sorted(set(train.ratings.tolist()))
        dense = torch.zeros(train.shape, dtype=torch.float64)
        dense[train.users, train.items] = torch.tensor(train.ratings.copy())
        by_user, by_item = (dense > 0).sum(dim=1).double(), (dense > 0).sum(dim=0).double()
        self.to_users, self.to_items = [], []
        for value in self.values:
            edges = (dense == value).double()
            if normalization == "left":
                self.to_users.append(edges / by_user.clamp(min=1)[:, None])
                self.to_items.append(edges.T / by_item.clamp(min=1)[:, None])
            else:
                edges = edges / torch.outer(by_user.clamp(min=1), by_item.clamp(min=1)).sqrt()
                self.to_users.append(edges)
                self.to_items.append(edges.T)

    def hidden(self, users, items, keep_users=None, keep_items=None):
        """h from the weights [nodes, levels, width] and the scaled masks of nodes."""
        x_users, x_items = (
            torch.eye(len(weight), dtype=torch.float64) if mask is None else torch.diag(mask)
            for weight, mask in ((users, keep_users), (items, keep_items))
        )
        sides = []
        for adjacency, x, weight in (
            (self.to_users, x_items, items),
            (self.to_items, x_users, users),
        ):
            if self.accumulation == "stack":
                messages = [m @ x @ weight[:, level] for level, m in enumerate(adjacency)]
                sides.append(torch.relu(torch.cat(messages, dim=1)))
            else:
                messages = [
                    m @ x @ sum(weight[:, s] for s in range(level + 1))
                    for level, m in enumerate(adjacency)
                ]
                sides.append(torch.relu(sum(messages)))
        return sides

    def embedded(self, network, h_users, h_items, units_users=1, units_items=1):
        """z from h and the scaled masks of hidden units."""
        weight = network.dense.weight
        return (h_users * units_users) @ weight, (h_items * units_items) @ weight

    def scores(self, z_users, z_items, bases, coefficients):
        """[users, items, levels]"""
        forms = torch.stack([z_users @ basis @ z_items.T for basis in bases], dim=2)
        return forms @ coefficients

    def loss(self, network, masks=None):
        """Mean cross-entropy; `masks` are of users, items, and the hidden units of both."""
        keep_users, keep_items, *units = masks or (None, None, 1, 1)
        convolution, decoder = network.convolution, network.decoder
        hidden = self.hidden(convolution.users, convolution.items, keep_users, keep_items)
        z_users, z_items = self.embedded(network, *hidden, *units)
        scores = self.scores(z_users, z_items, decoder.bases, decoder.coefficients)
        probabilities = torch.exp(scores) / torch.exp(scores).sum(dim=2, keepdim=True)
        labels = [self.values.index(rating) for rating in self.train.ratings]
        return -probabilities[self.train.users, self.train.items, labels].log().mean()


def gradients(loss, network):
    return torch.autograd.grad(loss, list(network.parameters()))
