package dev.tiller.loader.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Text to token ids and back, with the results of the Hugging Face tokenizers library. Immutable; safe to share between
 * threads.
 *
 * <p>Encoding finds added tokens, normalizes what lies between them, cuts it into pieces, tokenizes each piece with the
 * model and adds the tokens that a template asks for. Lone surrogates in a text, which no encoding can carry, are taken
 * for U+FFFD.
 */
public final class Tokenizer {
    private final Vocabulary vocabulary;
    private final AddedTokens verbatim;
    private final AddedTokens normalized;
    private final TextNormalizer normalizer;
    private final PreTokenizer preTokenizer;
    private final TokenModel model;
    private final PostProcessor postProcessor;
    private final List<DecoderStep> decoder;

    Tokenizer(
            Vocabulary vocabulary,
            AddedTokens verbatim,
            AddedTokens normalized,
            TextNormalizer normalizer,
            PreTokenizer preTokenizer,
            TokenModel model,
            PostProcessor postProcessor,
            List<DecoderStep> decoder) {
        this.vocabulary = vocabulary;
        this.verbatim = verbatim;
        this.normalized = normalized;
        this.normalizer = normalizer;
        this.preTokenizer = preTokenizer.words();
        this.model = new WordCache(
                preTokenizer.endsInBytes() ? (piece, out) -> model.tokenize(ByteAlphabet.encode(piece), out) : model);
        this.postProcessor = postProcessor;
        this.decoder = List.copyOf(decoder);
    }

    /**
     * Reads a tokenizer.json of the Hugging Face tokenizers library; the model is of the kind BPE, Unigram, WordPiece or
     * WordLevel.
     *
     * @throws dev.tiller.loader.TillerException if the file is damaged or uses a component Tiller does not support
     */
    public static Tokenizer read(Path tokenizerJson) {
        return TokenizerJson.read(tokenizerJson);
    }

    /**
     * Reads a tokenizer.model of SentencePiece, with the tokens that the files beside it declare.
     *
     * @throws dev.tiller.loader.TillerException if a file is damaged or asks for what Tiller does not support
     */
    public static Tokenizer readSentencePiece(Path tokenizerModel) {
        return SentencePieceDirectory.read(tokenizerModel);
    }

    /**
     * Builds the tokenizer that the keys of a GGUF file describe.
     *
     * @throws dev.tiller.loader.TillerException if the keys contradict each other or name a kind Tiller does not support
     */
    public static Tokenizer fromGguf(GgufVocabulary vocabulary) {
        return GgufTokenizers.build(vocabulary);
    }

    /** One more than the largest token id. */
    public int vocabSize() {
        return vocabulary.size();
    }

    /**
     * Token ids of a text; the text of an added token inside it becomes that token.
     *
     * @param addSpecialTokens whether to add the tokens around the text that the tokenizer prescribes, such as BOS
     */
    public int[] encode(String text, boolean addSpecialTokens) {
        return encodeWithOffsets(text, addSpecialTokens).ids();
    }

    /** Token ids of a text as {@link #encode} gives them, with the code points that each covers. */
    public Encoding encodeWithOffsets(String text, boolean addSpecialTokens) {
        return postProcessor.process(tokens(text), addSpecialTokens).toEncoding();
    }

    /** How many steps the model takes for a text. */
    long work(String text) {
        return tokens(text).work();
    }

    private TokenList tokens(String text) {
        List<AddedTokens.Piece> outer = new ArrayList<>();
        verbatim.split(AlignedText.of(text), outer);
        List<AddedTokens.Piece> pieces = new ArrayList<>();
        for (AddedTokens.Piece piece : outer) {
            if (piece.token() != null) {
                pieces.add(piece);
            } else {
                normalized.split(normalizer.normalize(piece.text()), pieces);
            }
        }
        TokenList tokens = new TokenList();
        for (AddedTokens.Piece piece : pieces) {
            AlignedText part = piece.text();
            if (piece.token() != null) {
                tokens.add(piece.token().id(), part.text(), part.start(0), part.end(part.length() - 1));
                continue;
            }
            preTokenizer.split(part, word -> {
                if (!word.isEmpty()) {
                    model.tokenize(word, tokens);
                }
            });
        }
        return tokens;
    }

    /**
     * Text of the tokens; what is not UTF-8 becomes U+FFFD.
     *
     * @throws dev.tiller.loader.TillerException if the vocabulary has no such id
     */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        return streamDecoder(skipSpecialTokens).decodeAll(ids);
    }

    /** Id of a token as the vocabulary spells it, or -1. */
    public int idOf(String token) {
        return vocabulary.id(token);
    }

    /**
     * The token as the vocabulary spells it.
     *
     * @throws dev.tiller.loader.TillerException if the vocabulary has no such id
     */
    public String token(int id) {
        return vocabulary.token(id);
    }

    /** True for a special token, which decoding can skip. */
    public boolean isSpecial(int id) {
        return vocabulary.isSpecial(id);
    }

    /** A decoder for tokens that arrive one by one. */
    public StreamDecoder streamDecoder(boolean skipSpecial) {
        return new StreamDecoder(vocabulary, decoder, skipSpecial);
    }
}
