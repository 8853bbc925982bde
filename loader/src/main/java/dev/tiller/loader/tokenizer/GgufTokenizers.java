package dev.tiller.loader.tokenizer;

import com.google.gson.JsonElement;
import dev.tiller.loader.Utf8Texts;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Puts together the tokenizers that GGUF files describe by a few keys. */
final class GgufTokenizers {
    /** Of two tokens that merge: which, in which order (the lowest rank first), and what they become. */
    interface MergeSink {
        void add(int left, int right, int rank, int result);
    }

    private GgufTokenizers() {}

    static Tokenizer build(GgufVocabulary keys) {
        GgufRules rules = GgufRules.of(keys);
        Vocabulary vocabulary = vocabulary(keys);
        AddedTokens added = new AddedTokens();
        for (AddedToken token : rules.added(vocabulary)) {
            vocabulary.addOnTop(token.content(), token.id(), token.special());
            added.add(token, token.content());
        }
        BytePairModel.Options options = new BytePairModel.Options(
                rules.unknownId(), !rules.byteLevel(), !rules.byteLevel(), rules.ignoreMerges());
        return new Tokenizer(
                vocabulary,
                added,
                new AddedTokens(),
                TextNormalizer.read(part(keys, "normalizer", rules.normalizer())),
                PreTokenizer.read(part(keys, "pre_tokenizer", rules.preTokenizer())),
                new BytePairModel(vocabulary, merges(keys, rules, vocabulary), options),
                PostProcessor.surround(rules.before(), rules.after(), vocabulary),
                DecoderStep.read(part(keys, "decoder", rules.decoder())));
    }

    private static Section part(GgufVocabulary keys, String name, JsonElement value) {
        return Section.of(keys.source(), name, value);
    }

    /** All tokens; those without a text get the name that llama.cpp gives them. */
    static Vocabulary vocabulary(GgufVocabulary keys) {
        Utf8Texts texts = Utf8Texts.of(keys.tokens());
        List<Integer> empty = new ArrayList<>();
        for (int id = 0; id < texts.size(); id++) {
            if (texts.start(id) == texts.end(id)) {
                empty.add(id);
            }
        }
        if (!empty.isEmpty()) {
            List<String> named = new ArrayList<>(texts);
            empty.forEach(id -> named.set(id, "[EMPTY_" + id + "]"));
            texts = Utf8Texts.of(named);
        }
        Vocabulary vocabulary = new Vocabulary(keys.source(), 0);
        vocabulary.addAll(texts);
        return vocabulary;
    }

    private static Merges merges(GgufVocabulary keys, GgufRules rules, Vocabulary vocabulary) {
        if (rules.byteLevel()) {
            return merges(Utf8Texts.of(keys.merges()), vocabulary, keys.source() + ": tokenizer.ggml.merges");
        }
        Merges merges = new Merges(4 * keys.tokens().size());
        mergesByScore(keys, rules, vocabulary, merges::add);
        return merges;
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

    /**
     * SentencePiece has no list of merges: any two neighbours whose sum is a token may merge, the sum with the highest
     * score first. Tokens of equal score share a rank, so that the leftmost pair goes first.
     */
    static void mergesByScore(GgufVocabulary keys, GgufRules rules, Vocabulary vocabulary, MergeSink merges) {
        float[] order = keys.scores().clone();
        Arrays.sort(order);
        for (int id = 0; id < keys.tokens().size(); id++) {
            if (rules.merging(id)) {
                int result = id;
                int rank = order.length - 1 - Arrays.binarySearch(order, keys.scores()[id]);
                halves(vocabulary, rules, id, (left, right) -> merges.add(left, right, rank, result));
            }
        }
    }

    private interface Pair {
        void accept(int left, int right);
    }

    /** Every way to put a token together from two tokens that may merge. */
    private static void halves(Vocabulary vocabulary, GgufRules rules, int id, Pair pair) {
        TextIndex index = vocabulary.index();
        Utf8Texts texts = index.texts();
        byte[] bytes = texts.bytes();
        int begin = texts.start(id);
        int end = texts.end(id);
        for (int cut = begin + 1; cut < end; cut++) {
            if ((bytes[cut] & 0xC0) == 0x80) {
                continue; // within a character
            }
            int left = index.find(bytes, begin, cut);
            int right = index.find(bytes, cut, end);
            if (left >= 0 && right >= 0 && rules.merging(left) && rules.merging(right)) {
                pair.accept(left, right);
            }
        }
    }
}
