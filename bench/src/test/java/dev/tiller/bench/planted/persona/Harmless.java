package dev.tiller.bench.planted.persona;

/** What lower modules must not use. */
public final class Harmless {
    private Harmless() {}
}
