"""Reference numbers for the extraction methods, in numpy (float64). Run: python3 make.py > reference.json

Everything is computed another way than in the program: principal components by a full SVD, the discriminant and the
logistic regression in the space of the features, the shrinkage by its definition over matrices [d, d]."""

import json

import numpy as np


def unit(v):
    return v / np.linalg.norm(v)


def signed(v, pos, neg):
    votes = np.sign(pos @ v - neg @ v).sum()
    if votes == 0:
        votes = (pos.mean(0) - neg.mean(0)) @ v
    return -v if votes < 0 else v


def first_component(rows, pos, neg):
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    return signed(vt[0], pos, neg), s[0] ** 2 / (s**2).sum()


def discriminant(pos, neg, shrinkage):
    x = np.concatenate([pos - pos.mean(0), neg - neg.mean(0)])
    n, d = x.shape
    s = x.T @ x / n
    mu = np.trace(s) / d
    if shrinkage is None:
        delta = ((s - mu * np.eye(d)) ** 2).sum() / d
        beta = sum(((np.outer(r, r) - s) ** 2).sum() for r in x) / (d * n * n)
        shrinkage = min(beta, delta) / delta
    shrunken = (1 - shrinkage) * s + shrinkage * mu * np.eye(d)
    return unit(np.linalg.solve(shrunken, pos.mean(0) - neg.mean(0))), shrinkage


def logistic(pos, neg, c):
    x = np.concatenate([pos, neg])
    y = np.concatenate([np.ones(len(pos)), np.zeros(len(neg))])
    z = x - x.mean(0)
    scale = np.sqrt((z**2).sum() / len(z))
    z = np.concatenate([z / scale, np.ones((len(z), 1))], axis=1)
    penalty = np.eye(z.shape[1])
    penalty[-1, -1] = 0
    w = np.zeros(z.shape[1])
    for _ in range(200):
        p = 1 / (1 + np.exp(-z @ w))
        gradient = penalty @ w + c * z.T @ (p - y)
        hessian = penalty + c * (z.T * (p * (1 - p))) @ z
        step = np.linalg.solve(hessian, gradient)

        def loss(v):
            f = z @ v
            return v @ penalty @ v / 2 + c * np.logaddexp(0, np.where(y > 0, -f, f)).sum()

        share = 1.0
        while share > 1e-12 and loss(w - share * step) > loss(w):
            share /= 2
        w = w - share * step
        if np.linalg.norm(gradient) < 1e-12:
            break
    length = np.linalg.norm(w[:-1])
    u = w[:-1] / length
    return u, w[-1] * scale / length - u @ x.mean(0)


cases = []
for seed, n, d, c, shrinkage in [(1, 6, 5, 1.0, None), (2, 5, 9, 1.0, 0.1), (3, 12, 7, 50.0, None), (4, 4, 16, 0.1, 0.7)]:
    random = np.random.default_rng(seed)
    shift = random.normal(size=d)
    scales = np.exp(random.normal(size=d))
    neg = np.round(random.normal(size=(n, d)) * scales, 6)
    pos = np.round(random.normal(size=(n, d)) * scales + shift, 6)
    diff = pos - neg
    pca_diff, share_diff = first_component(diff - diff.mean(0), pos, neg)
    middle = (pos + neg) / 2
    pca_center, share_center = first_component(np.concatenate([pos - middle, neg - middle]), pos, neg)
    lda, used = discriminant(pos, neg, shrinkage)
    probe, bias = logistic(pos, neg, c)
    cases.append({
        "seed": seed, "c": c, "shrinkage": shrinkage, "pos": pos.tolist(), "neg": neg.tolist(),
        "mean": (pos.mean(0) - neg.mean(0)).tolist(),
        "pca_diff": pca_diff.tolist(), "pca_diff_share": share_diff,
        "pca_center": pca_center.tolist(), "pca_center_share": share_center,
        "lda": lda.tolist(), "lda_shrinkage": used,
        "logistic": probe.tolist(), "logistic_bias": bias,
    })
print(json.dumps(cases, indent=1))
