package dev.tiller.loader.tokenizer;

import java.util.List;

/**
 * Decodes tokens one by one; the pieces together equal {@link Tokenizer#decode} of all the ids. A piece never ends
 * inside a character. For one text and one thread.
 */
public final class StreamDecoder {
    private final Vocabulary vocabulary;
    private final boolean skipSpecial;
    private final StringBuilder ready = new StringBuilder();
    private final TokenSink sink;
    private boolean finished;

    StreamDecoder(Vocabulary vocabulary, List<DecoderStep> steps, boolean skipSpecial) {
        this.vocabulary = vocabulary;
        this.skipSpecial = skipSpecial;
        this.sink = DecoderStep.open(steps, ready);
    }

    /**
     * Takes the next token and returns the text that is now certain, often empty in the middle of a character.
     *
     * @throws dev.tiller.loader.TillerException if the vocabulary has no such id
     */
    public String append(int id) {
        if (finished) {
            throw new IllegalStateException("append after finish");
        }
        accept(id);
        return drain();
    }

    /** Ends the text: whatever was held back, with U+FFFD for a character that stayed unfinished. */
    public String finish() {
        if (!finished) {
            finished = true;
            sink.finish();
        }
        return drain();
    }

    private void accept(int id) {
        String token = vocabulary.decodedForm(id);
        if (!skipSpecial || !vocabulary.isSpecial(id)) {
            sink.token(token);
        }
    }

    String decodeAll(int[] ids) {
        for (int id : ids) {
            accept(id);
        }
        return finish();
    }

    private String drain() {
        String text = ready.toString();
        ready.setLength(0);
        return text;
    }
}
