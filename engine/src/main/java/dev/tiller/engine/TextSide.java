package dev.tiller.engine;

import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.Timeline;
import dev.tiller.loader.template.ChatTemplate;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.util.Set;

/**
 * What turns texts into tokens and back; read while the weights are. Parts that the model lacks are null.
 *
 * @param stopTokens ids that end an answer
 */
record TextSide(Tokenizer tokenizer, ChatTemplate template, Set<Integer> stopTokens) {
    static TextSide read(Checkpoint checkpoint) {
        Tokenizer tokenizer = checkpoint.hasTokenizer() ? checkpoint.tokenizer() : null;
        Timeline.mark("tokenizer read");
        ChatTemplate template = checkpoint
                .chatTemplateSource()
                .map(s -> ChatTemplate.parse(s, checkpoint.name()))
                .orElse(null);
        Set<Integer> stopTokens = StopTokens.of(checkpoint, tokenizer, template);
        Timeline.mark("stop tokens found");
        return new TextSide(tokenizer, template, stopTokens);
    }
}
