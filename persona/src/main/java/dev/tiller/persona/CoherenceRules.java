package dev.tiller.persona;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/**
 * How well formed an answer is, by the share of its word trigrams that the grammar can produce, and whether it shares a
 * word with the question.
 */
final class CoherenceRules {
    private static final Pattern CONTENT_WORD = Pattern.compile("[a-z]{3,}");

    /** A share of known trigrams up to here counts as nothing. */
    private static final double FLOOR = 0.4;

    private static final double NOT_ENDED_PENALTY = 20;

    private final Pattern word;
    private final String digit;
    private final String unknown;
    private final List<String> start;
    private final Set<String> lexicon;
    private final Set<Long> trigrams;
    private final Set<String> stopWords;
    private final String hash;

    private CoherenceRules(JsonObject json, String source) {
        this.word = RuleJudge.pattern(Json.string(json, "word_regex", source), source + ": word_regex");
        this.digit = Json.string(json, "digit", source);
        this.unknown = Json.string(json, "unknown_word", source);
        this.start = Json.strings(json, "start", source);
        this.lexicon = Set.copyOf(Json.strings(json, "lexicon", source));
        this.trigrams = new HashSet<>();
        for (JsonElement e : Json.array(json, "trigrams_crc32", source)) {
            if (!e.isJsonPrimitive() || !e.getAsJsonPrimitive().isNumber()) {
                throw new TillerException(source + ": trigrams_crc32: expected whole numbers, found " + e);
            }
            trigrams.add(e.getAsLong());
        }
        JsonObject relevance = Json.object(json, "relevance", source);
        this.stopWords = new HashSet<>(Json.strings(relevance, "stop", source + ": relevance"));
        this.hash = Hashes.sha256(json.toString());
    }

    static CoherenceRules read(Path file) {
        return new CoherenceRules(Json.readObject(file), file.toString());
    }

    String hash() {
        return hash;
    }

    /** 0..100; an answer that the model did not end itself loses 20. */
    double coherence(String answer, boolean ended) {
        List<String> words = matches(word, answer.toLowerCase(Locale.ROOT));
        List<String> tokens = new ArrayList<>(start);
        words.forEach(w -> tokens.add(token(w)));
        if (ended) {
            tokens.add("</s>");
        }
        int all = tokens.size() - 2;
        double share = 0;
        if (all >= 2) {
            int known = 0;
            for (int i = 0; i < all; i++) {
                known += trigrams.contains(crc(String.join(" ", tokens.subList(i, i + 3)))) ? 1 : 0;
            }
            share = (double) known / all;
        }
        double odd = (double) answer.codePoints().filter(c -> c > 127).count()
                / Math.max(1, answer.codePointCount(0, answer.length()));
        double score =
                100 * Math.max(0, (share - FLOOR) / (1 - FLOOR)) * (1 - repetition(words)) * (1 - Math.min(1, 5 * odd));
        // Fewer than two trigrams is no text at all: 0, which the clip also gives after the penalty.
        return Math.clamp(score - (ended ? 0 : NOT_ENDED_PENALTY), 0, 100);
    }

    private String token(String w) {
        char c = w.charAt(0);
        if (c >= '0' && c <= '9') {
            return digit;
        }
        return Character.isLetter(c) && !lexicon.contains(w) ? unknown : w;
    }

    /** 1 - distinct / all over the runs of four words. */
    private static double repetition(List<String> words) {
        int all = words.size() - 3;
        if (all < 1) {
            return 0;
        }
        Set<List<String>> distinct = new HashSet<>();
        for (int i = 0; i < all; i++) {
            distinct.add(words.subList(i, i + 4));
        }
        return 1 - (double) distinct.size() / all;
    }

    /** 100 if question and answer share the first four letters of a content word, else 0. */
    double relevance(String question, String answer) {
        Set<String> asked = stems(question);
        asked.retainAll(stems(answer));
        return asked.isEmpty() ? 0 : 100;
    }

    private Set<String> stems(String text) {
        Set<String> out = new HashSet<>();
        for (String w : matches(CONTENT_WORD, text.toLowerCase(Locale.ROOT))) {
            if (!stopWords.contains(w)) {
                out.add(w.substring(0, Math.min(4, w.length())));
            }
        }
        return out;
    }

    private static List<String> matches(Pattern pattern, String text) {
        List<String> out = new ArrayList<>();
        Matcher m = pattern.matcher(text);
        while (m.find()) {
            if (!m.group().isEmpty()) {
                out.add(m.group());
            }
        }
        return out;
    }

    private static long crc(String text) {
        CRC32 crc = new CRC32();
        crc.update(text.getBytes(StandardCharsets.UTF_8));
        return crc.getValue();
    }
}
