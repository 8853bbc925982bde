package dev.tiller.loader.tokenizer;

/** Takes the strings of tokens one after the other while a text is decoded. */
interface TokenSink {
    void token(String token);

    /** No more tokens. */
    void finish();
}
