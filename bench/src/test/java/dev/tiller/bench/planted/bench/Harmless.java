package dev.tiller.bench.planted.bench;

/** What lower modules must not use. */
public final class Harmless {
    private Harmless() {}
}
