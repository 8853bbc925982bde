package dev.tiller.bench.planted.loader;

import dev.tiller.bench.planted.persona.Harmless;

/** A breach: the lowest module uses a high one. */
final class UsesPersona {
    Harmless forbidden;
}
