package dev.tiller.loader.tokenizer;

/** What turns one piece of text into tokens. Immutable; safe to share between threads. */
interface TokenModel {
    /** Appends the tokens of one piece, which is not empty. */
    void tokenize(AlignedText piece, TokenList out);
}
