package dev.tiller.bench.planted.persona;

/** A breach: the product uses its measurements. */
final class UsesBench {
    dev.tiller.bench.planted.bench.Harmless forbidden;
}
