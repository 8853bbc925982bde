package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.Utf8Texts;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Puts together the tokenizers that GGUF files describe by a few keys. */
final class GgufTokenizers {
    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int UNUSED = 5;
    private static final int BYTE = 6;

    private static final String SPACE_MARK = "\u2581";
    private static final String SUPPORTED = "\"smollm\", \"llama-bpe\", \"qwen2\", \"gpt-2\", \"mpt\" or \"default\"";

    private static final String WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
    private static final String REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    private GgufTokenizers() {}

    static Tokenizer build(GgufVocabulary keys) {
        checkLengths(keys);
        Vocabulary vocabulary = new Vocabulary(keys.source(), 0);
        vocabulary.addAll(Utf8Texts.of(keys.tokens()));
        AddedTokens added = new AddedTokens();
        for (int id = 0; id < keys.tokens().size(); id++) {
            int type = type(keys, id);
            boolean special = type == UNKNOWN || type == CONTROL;
            if (!special && type != USER_DEFINED) {
                continue;
            }
            String token = vocabulary.token(id);
            if (!token.isEmpty()) {
                vocabulary.addOnTop(token, id, special);
                added.add(new AddedTokens.AddedToken(id, token, false, false, false, false, special), token);
            }
        }
        PostProcessor surround = PostProcessor.surround(
                edge(keys.addBos(), keys.bosId(), "bos", vocabulary, keys),
                edge(keys.addEos(), keys.eosId(), "eos", vocabulary, keys),
                vocabulary);
        return switch (String.valueOf(keys.model())) {
            case "gpt2" -> byteLevel(keys, vocabulary, added, surround);
            case "llama" -> sentencePiece(keys, vocabulary, added, surround);
            default ->
                throw new TillerException(keys.source()
                        + ": tokenizer.ggml.model: expected \"gpt2\" or \"llama\", found \"" + keys.model() + "\"");
        };
    }

    private static Tokenizer byteLevel(
            GgufVocabulary keys, Vocabulary vocabulary, AddedTokens added, PostProcessor surround) {
        if (keys.merges() == null) {
            throw new TillerException(
                    keys.source() + ": tokenizer.ggml.merges: expected an array of pairs, found nothing");
        }
        Merges merges = merges(Utf8Texts.of(keys.merges()), vocabulary, keys.source() + ": tokenizer.ggml.merges");
        String pre = keys.pre() == null ? "default" : keys.pre();
        boolean ignoreMerges = pre.equals("llama-bpe");
        TextNormalizer normalizer =
                pre.equals("qwen2") ? new UnicodeForm(Normalizer.Form.NFC) : TextNormalizer.sequence(List.of());
        return new Tokenizer(
                vocabulary,
                added,
                new AddedTokens(),
                normalizer,
                preTokenizer(pre, keys.source()),
                new BytePairModel(vocabulary, merges, new BytePairModel.Options(-1, false, false, ignoreMerges)),
                surround,
                List.of(new DecoderStep.ByteLevelStep()));
    }

    /** Merges "left right", found by their bytes: as strings they would take most of the time of a start. */
    private static Merges merges(Utf8Texts pairs, Vocabulary vocabulary, String place) {
        TextIndex index = vocabulary.index();
        byte[] bytes = pairs.bytes();
        Merges merges = new Merges(pairs.size());
        for (int i = 0; i < pairs.size(); i++) {
            int begin = pairs.start(i);
            int end = pairs.end(i);
            int space = space(bytes, begin, end);
            if (space == end || space(bytes, space + 1, end) < end) {
                throw TokenizerJson.notTwo(pairs.get(i), i, place);
            }
            int first = TextIndex.hash(0, bytes, begin, space);
            int left = index.find(bytes, begin, space, space, first);
            int right = index.find(bytes, space + 1, end);
            int both = TextIndex.hash(first, bytes, space + 1, end);
            int result = index.find(bytes, begin, space, end, both);
            if (left < 0 || right < 0 || result < 0) {
                String[] halves = pairs.get(i).split(" ", -1);
                throw TokenizerJson.notTokens(halves[0], halves[1], i, place);
            }
            merges.add(left, right, i, result);
        }
        return merges;
    }

    /** Where the first space is, or the end. */
    private static int space(byte[] bytes, int begin, int end) {
        int at = begin;
        while (at < end && bytes[at] != ' ') {
            at++;
        }
        return at;
    }

    private static PreTokenizer preTokenizer(String pre, String source) {
        return switch (pre) {
            case "gpt-2", "mpt", "default" -> PreTokenizer.byteLevel(false, true);
            case "smollm" ->
                PreTokenizer.sequence(List.of(
                        PreTokenizer.split(TextPattern.each(CodePoints::isNumber), SplitBehavior.ISOLATED, false),
                        PreTokenizer.byteLevel(false, true)));
            case "llama-bpe" -> words("\\p{N}{1,3}");
            case "qwen2" -> words("\\p{N}");
            default ->
                throw new TillerException(
                        source + ": tokenizer.ggml.pre: expected " + SUPPORTED + ", found \"" + pre + "\"");
        };
    }

    private static PreTokenizer words(String numbers) {
        return PreTokenizer.sequence(List.of(
                PreTokenizer.split(TextPattern.regex(WORDS + numbers + REST), SplitBehavior.ISOLATED, false),
                PreTokenizer.byteLevel(false, false)));
    }

    private static Tokenizer sentencePiece(
            GgufVocabulary keys, Vocabulary vocabulary, AddedTokens added, PostProcessor surround) {
        if (keys.scores() == null) {
            throw new TillerException(
                    keys.source() + ": tokenizer.ggml.scores: expected a number for each token, found nothing");
        }
        int unknown = -1;
        for (int id = 0; id < keys.tokens().size() && unknown < 0; id++) {
            unknown = type(keys, id) == UNKNOWN ? id : -1;
        }
        List<TextNormalizer> marks = new ArrayList<>();
        List<DecoderStep> decoder = new ArrayList<>();
        decoder.add(DecoderStep.replace(TextPattern.literal(SPACE_MARK), " "));
        decoder.add(ByteFallbackSink::new);
        if (keys.addSpacePrefix()) {
            marks.add(TextNormalizer.prepend(SPACE_MARK));
            decoder.add(new DecoderStep.FuseStep());
            decoder.add(new DecoderStep.StripStep(' ', 1, 0));
        }
        marks.add(TextNormalizer.replace(TextPattern.literal(" "), SPACE_MARK));
        return new Tokenizer(
                vocabulary,
                added,
                new AddedTokens(),
                TextNormalizer.sequence(marks),
                PreTokenizer.whole(),
                new BytePairModel(
                        vocabulary,
                        mergesByScore(keys, vocabulary),
                        new BytePairModel.Options(unknown, true, true, false)),
                surround,
                decoder);
    }

    /**
     * SentencePiece has no list of merges: any two neighbours whose sum is a token may merge, the sum with the highest
     * score first. Tokens of equal score share a rank, so that the leftmost pair goes first.
     */
    private static Merges mergesByScore(GgufVocabulary keys, Vocabulary vocabulary) {
        float[] order = keys.scores().clone();
        Arrays.sort(order);
        Merges merges = new Merges(4 * order.length);
        Utf8Texts tokens = Utf8Texts.of(keys.tokens());
        TextIndex index = vocabulary.index();
        for (int id = 0; id < keys.tokens().size(); id++) {
            if (!merging(keys, id)) {
                continue;
            }
            int begin = tokens.start(id);
            int end = tokens.end(id);
            int rank = order.length - 1 - Arrays.binarySearch(order, keys.scores()[id]);
            for (int cut = begin + 1; cut < end; cut++) {
                if ((tokens.bytes()[cut] & 0xC0) == 0x80) {
                    continue; // within a character
                }
                int left = index.find(tokens.bytes(), begin, cut);
                int right = index.find(tokens.bytes(), cut, end);
                if (left >= 0 && right >= 0 && merging(keys, left) && merging(keys, right)) {
                    merges.add(left, right, rank, id);
                }
            }
        }
        return merges;
    }

    private static boolean merging(GgufVocabulary keys, int id) {
        int type = type(keys, id);
        return type != UNKNOWN && type != CONTROL && type != UNUSED && type != BYTE;
    }

    private static int type(GgufVocabulary keys, int id) {
        return keys.tokenTypes() == null ? 1 : keys.tokenTypes()[id];
    }

    private static int[] edge(boolean wanted, int id, String name, Vocabulary vocabulary, GgufVocabulary keys) {
        if (!wanted) {
            return new int[0];
        }
        if (!vocabulary.has(id)) {
            throw new TillerException(keys.source() + ": tokenizer.ggml." + name + "_token_id: expected an id below "
                    + vocabulary.size() + ", since the file asks to add the token, found " + id);
        }
        return new int[] {id};
    }

    private static void checkLengths(GgufVocabulary keys) {
        int tokens = keys.tokens().size();
        if (keys.scores() != null && keys.scores().length != tokens) {
            throw wrongLength(keys, "scores", keys.scores().length);
        }
        if (keys.tokenTypes() != null && keys.tokenTypes().length != tokens) {
            throw wrongLength(keys, "token_type", keys.tokenTypes().length);
        }
    }

    private static TillerException wrongLength(GgufVocabulary keys, String key, int found) {
        return new TillerException(keys.source() + ": tokenizer.ggml." + key + ": expected "
                + keys.tokens().size() + " entries as in tokens, found " + found);
    }
}
