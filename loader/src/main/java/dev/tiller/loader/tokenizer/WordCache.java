package dev.tiller.loader.tokenizer;

/**
 * Remembers the tokens of short pieces, since texts repeat their words. A piece has one place by its hash, where the
 * last one that came stays. Entries never change and threads may overwrite each other's, so no lock is needed.
 */
final class WordCache implements TokenModel {
    private static final int SLOTS = 1 << 14;
    private static final int MAX_CHARACTERS = 24;

    private final TokenModel model;
    private final Entry[] entries = new Entry[SLOTS];

    /**
     * A piece and its tokens.
     *
     * @param piece its code points
     * @param tokens with origins counted from the start of the piece
     */
    private record Entry(int[] piece, TokenList tokens) {}

    WordCache(TokenModel model) {
        this.model = model;
    }

    @Override
    public void tokenize(AlignedText piece, TokenList out) {
        if (piece.length() > MAX_CHARACTERS) {
            model.tokenize(piece, out);
            return;
        }
        int hash = piece.hash();
        int slot = (hash ^ hash >>> 15) & SLOTS - 1;
        Entry entry = entries[slot];
        if (entry == null || !piece.isSame(entry.piece)) {
            int[] codePoints = piece.codePoints();
            TokenList tokens = new TokenList(4);
            model.tokenize(AlignedText.of(codePoints), tokens);
            out.countWork(tokens.work());
            entry = new Entry(codePoints, tokens);
            entries[slot] = entry;
        }
        out.addMoved(entry.tokens, piece);
    }
}
