package dev.tiller.bench.planted.loader.tokenizer;

import dev.tiller.bench.planted.loader.template.UsesTokenizer;

/** Half of a circle. */
public final class UsesTemplate {
    UsesTokenizer circle;
}
