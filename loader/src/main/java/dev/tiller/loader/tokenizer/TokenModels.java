package dev.tiller.loader.tokenizer;

import java.util.List;

/** The "model" of a tokenizer.json, once its vocabulary and merges are read. */
final class TokenModels {
    private static final String KINDS = "\"BPE\", \"Unigram\", \"WordPiece\" or \"WordLevel\"";

    private TokenModels() {}

    /**
     * The model that the section describes.
     *
     * @param mergeHalves pairs a, b, a, b..., or null if the file has none
     * @param scores of the tokens, or null if the vocabulary was no list
     */
    static TokenModel read(
            Section model, Vocabulary vocabulary, boolean hasVocabulary, List<String> mergeHalves, double[] scores) {
        boolean pairs = mergeHalves != null;
        String type = model.has("type") ? model.type() : pairs ? "BPE" : "";
        switch (type) {
            case "BPE" -> expect(model, hasVocabulary && scores == null && pairs, "vocab (an object) and merges");
            case "Unigram" -> expect(model, scores != null, "vocab (an array of pairs)");
            case "WordPiece", "WordLevel" -> expect(model, hasVocabulary && scores == null, "vocab (an object)");
            default -> throw model.error("type", KINDS);
        }
        return switch (type) {
            case "BPE" -> bytePairs(model, vocabulary, mergeHalves);
            case "Unigram" -> unigram(model, vocabulary, scores);
            case "WordPiece" -> wordPiece(model, vocabulary);
            default -> wordLevel(model, vocabulary);
        };
    }

    private static void expect(Section model, boolean there, String what) {
        if (!there) {
            throw model.error("vocab", what);
        }
    }

    private static TokenModel bytePairs(Section model, Vocabulary vocabulary, List<String> mergeHalves) {
        model.only(
                "dropout",
                "unk_token",
                "continuing_subword_prefix",
                "end_of_word_suffix",
                "fuse_unk",
                "byte_fallback",
                "ignore_merges");
        if (model.has("dropout") && model.count("dropout") != 0) {
            throw model.error("dropout", "null or 0; random merges are for training");
        }
        String prefix = model.has("continuing_subword_prefix") ? model.string("continuing_subword_prefix") : "";
        String suffix = model.has("end_of_word_suffix") ? model.string("end_of_word_suffix") : "";
        BytePairModel.Options options = new BytePairModel.Options(
                unknown(model, vocabulary),
                model.flag("fuse_unk", false),
                model.flag("byte_fallback", false),
                model.flag("ignore_merges", false),
                prefix,
                suffix);
        Merges merges = TokenizerJson.merges(mergeHalves, vocabulary, prefix, model.name("merges"));
        return new BytePairModel(vocabulary, merges, options);
    }

    private static int unknown(Section model, Vocabulary vocabulary) {
        if (!model.has("unk_token")) {
            return -1;
        }
        int id = vocabulary.id(model.string("unk_token"));
        if (id < 0) {
            throw model.error("unk_token", "a token of the vocabulary");
        }
        return id;
    }

    private static TokenModel unigram(Section model, Vocabulary vocabulary, double[] scores) {
        model.only("unk_id", "byte_fallback");
        int unknown = model.has("unk_id") ? model.count("unk_id") : -1;
        if (unknown >= scores.length) {
            throw model.error("unk_id", "an id below " + scores.length);
        }
        return new UnigramModel(vocabulary, scores, unknown, model.flag("byte_fallback", false));
    }

    private static TokenModel wordPiece(Section model, Vocabulary vocabulary) {
        model.only("unk_token", "continuing_subword_prefix", "max_input_chars_per_word");
        String prefix = model.has("continuing_subword_prefix") ? model.string("continuing_subword_prefix") : "##";
        int longest = model.has("max_input_chars_per_word") ? model.count("max_input_chars_per_word") : 100;
        return new WordPieceModel(vocabulary, unknown(model, vocabulary), prefix, longest);
    }

    /** A piece is a token as a whole, or unknown. */
    private static TokenModel wordLevel(Section model, Vocabulary vocabulary) {
        int unknown = unknown(model.only("unk_token"), vocabulary);
        return (piece, out) -> {
            int known = vocabulary.modelId(piece.text());
            if (known < 0 && unknown < 0) {
                throw vocabulary.noUnknown(piece.text());
            }
            int id = known < 0 ? unknown : known;
            out.add(id, vocabulary.token(id), piece.start(0), piece.end(piece.length() - 1));
        };
    }
}
