package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.Utf8Texts;
import java.util.List;

/** Puts together the tokenizers of SentencePiece models. */
final class SentencePieceTokenizers {
    private SentencePieceTokenizers() {}

    static Tokenizer build(SentencePieces pieces, List<AddedToken> added, int[] before, int[] after) {
        Vocabulary vocabulary = new Vocabulary(pieces.source(), 0);
        vocabulary.addAll(Utf8Texts.of(pieces.pieces()));
        for (int id = 0; id < pieces.types().length; id++) {
            int type = pieces.types()[id];
            if (type == SentencePieces.CONTROL || type == SentencePieces.UNKNOWN) {
                vocabulary.addOnTop(vocabulary.token(id), id, true);
            }
        }
        AddedTokens verbatim = new AddedTokens();
        for (AddedToken token : added) {
            vocabulary.addOnTop(token.content(), token.id(), token.special());
            verbatim.add(token, token.content());
        }
        for (int[] ids : new int[][] {before, after}) {
            for (int id : ids) {
                if (!vocabulary.has(id)) {
                    throw new TillerException(pieces.source() + ": token around the text: expected an id below "
                            + vocabulary.size() + ", found " + id);
                }
            }
        }
        TextTrie userDefined = pieces.userDefined();
        TokenModel model = pieces.rules().kind() == SentencePieces.Kind.BPE
                ? new SentencePieceBpe(pieces, vocabulary, userDefined)
                : new UnigramModel(pieces, vocabulary);
        return new Tokenizer(
                vocabulary,
                verbatim,
                new AddedTokens(),
                new SentencePieceText(pieces, userDefined),
                PreTokenizer.whole(),
                model,
                PostProcessor.surround(before, after, vocabulary),
                List.of(SentencePieceSink.step(pieces.rules())));
    }
}
