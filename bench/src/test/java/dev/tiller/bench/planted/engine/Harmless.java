package dev.tiller.bench.planted.engine;

/** What lower modules must not use. */
public final class Harmless {
    private Harmless() {}
}
