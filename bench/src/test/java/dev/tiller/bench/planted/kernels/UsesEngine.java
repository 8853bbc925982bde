package dev.tiller.bench.planted.kernels;

import dev.tiller.bench.planted.engine.Harmless;

/** A breach: arithmetic that knows of models. */
final class UsesEngine {
    Harmless forbidden;
}
