package dev.tiller.loader.template;

import java.util.List;

/**
 * A conversation as text.
 *
 * @param text the prompt
 * @param generationSpans what the template puts in {@code {% generation %}} blocks, in the order of the text: the words
 *     of the assistant; empty for templates without such blocks
 */
public record RenderedChat(String text, List<Span> generationSpans) {
    public RenderedChat {
        generationSpans = List.copyOf(generationSpans);
    }
}
