package dev.tiller.bench.planted.loader.template;

import dev.tiller.bench.planted.loader.tokenizer.UsesTemplate;

/** The other half of a circle. */
public final class UsesTokenizer {
    UsesTemplate circle;
}
