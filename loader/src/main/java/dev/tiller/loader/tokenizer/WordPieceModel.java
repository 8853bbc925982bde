package dev.tiller.loader.tokenizer;

/**
 * WordPiece as BERT uses it (Devlin et al. 2018): from the left always the longest token that fits, where a token that
 * does not begin the piece is marked by a prefix. A piece that cannot be covered, or is too long, is unknown as a whole.
 */
final class WordPieceModel implements TokenModel {
    private final Vocabulary vocabulary;
    private final TextTrie first;
    private final TextTrie following;
    private final int unknownId;
    private final int maxCharacters;

    /**
     * A model over the tokens that the vocabulary holds now.
     *
     * @param unknownId token for a piece that cannot be covered, or -1
     * @param prefix marks tokens that go on with a piece
     * @param maxCharacters longer pieces are unknown
     */
    WordPieceModel(Vocabulary vocabulary, int unknownId, String prefix, int maxCharacters) {
        this.vocabulary = vocabulary;
        this.unknownId = unknownId;
        this.maxCharacters = maxCharacters;
        this.first = new TextTrie(4 * vocabulary.size());
        this.following = new TextTrie(4 * vocabulary.size());
        for (int id = 0; id < vocabulary.size(); id++) {
            if (!vocabulary.has(id) || vocabulary.token(id).isEmpty()) {
                continue;
            }
            String token = vocabulary.token(id);
            first.add(token, id);
            if (token.startsWith(prefix) && token.length() > prefix.length()) {
                following.add(token.substring(prefix.length()), id);
            }
        }
    }

    @Override
    public void tokenize(AlignedText piece, TokenList out) {
        int length = piece.length();
        if (length > maxCharacters) {
            unknown(piece, out);
            return;
        }
        int[] ids = new int[length];
        int[] ends = new int[length];
        int count = 0;
        for (int at = 0; at < length; count++) {
            long match = (at == 0 ? first : following).longest(piece, at);
            out.countWork(1);
            if (match < 0) {
                unknown(piece, out);
                return;
            }
            at += (int) (match >>> 32);
            ids[count] = (int) match;
            ends[count] = at;
        }
        for (int i = 0; i < count; i++) {
            int begin = i == 0 ? 0 : ends[i - 1];
            out.add(ids[i], vocabulary.token(ids[i]), piece.start(begin), piece.end(ends[i] - 1));
        }
    }

    private void unknown(AlignedText piece, TokenList out) {
        if (unknownId < 0) {
            throw vocabulary.noUnknown(piece.text());
        }
        out.add(unknownId, vocabulary.token(unknownId), piece.start(0), piece.end(piece.length() - 1));
    }
}
