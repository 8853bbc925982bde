package dev.tiller.bench.planted.engine;

import dev.tiller.bench.planted.persona.Harmless;

/** A breach: the transformer knows of traits. */
final class UsesPersona {
    Harmless forbidden;
}
