package dev.tiller.loader.tokenizer;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads the file in which the Hugging Face tokenizers library keeps a tokenizer. The vocabulary and the merges, which
 * are large, are streamed; the rest is small and read as {@link Section}s. The settings "truncation" and "padding" are
 * left aside: they belong to batches that a caller makes, not to the tokens of a text.
 */
final class TokenizerJson {
    private static final Set<String> KNOWN_KEYS = Set.of(
            "version",
            "truncation",
            "padding",
            "added_tokens",
            "normalizer",
            "pre_tokenizer",
            "post_processor",
            "decoder",
            "model");

    private final String source;
    private final JsonObject parts = new JsonObject();
    private final JsonObject modelParts = new JsonObject();
    private final Vocabulary vocabulary;
    /** Merges a, b, a, b... if the file has any. */
    private List<String> mergeHalves;

    /** Scores of the tokens if the vocabulary is a list. */
    private double[] scores;

    private boolean hasVocabulary;

    private TokenizerJson(String source) {
        this.source = source;
        this.vocabulary = new Vocabulary(source, 1 << 12);
    }

    static Tokenizer read(Path file) {
        TokenizerJson json = new TokenizerJson(file.toString());
        try (Reader text = Files.newBufferedReader(file);
                JsonReader in = new JsonReader(text)) {
            in.setStrictness(Strictness.STRICT);
            json.readFile(in);
        } catch (CharacterCodingException e) {
            throw new TillerException(file + ": expected UTF-8, found other bytes", e);
        } catch (java.nio.file.NoSuchFileException e) {
            throw new TillerException(file + ": no such file; expected a tokenizer.json", e);
        } catch (IOException | JsonParseException | IllegalStateException | NumberFormatException e) {
            throw new TillerException(file + ": not a readable tokenizer.json: " + firstLine(e), e);
        }
        return json.build();
    }

    /** The parser's message without its advice to programmers. */
    private static String firstLine(Exception e) {
        String message = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
        return message.replace(
                "Use JsonReader.setStrictness(Strictness.LENIENT) to accept malformed JSON", "malformed JSON");
    }

    private void readFile(JsonReader in) throws IOException {
        Set<String> seen = new HashSet<>();
        in.beginObject();
        while (in.hasNext()) {
            String key = once(in.nextName(), seen, "");
            if (!KNOWN_KEYS.contains(key)) {
                throw new TillerException(source + ": " + key + ": unknown key in a tokenizer.json");
            }
            if (key.equals("model")) {
                readModel(in);
            } else {
                parts.add(key, JsonParser.parseReader(in));
            }
        }
        in.endObject();
        if (in.peek() != JsonToken.END_DOCUMENT) {
            throw new TillerException(source + ": expected the end of the file after the object, found more");
        }
    }

    private void readModel(JsonReader in) throws IOException {
        Set<String> seen = new HashSet<>();
        in.beginObject();
        while (in.hasNext()) {
            String key = once(in.nextName(), seen, "model.");
            if (key.equals("vocab") && in.peek() == JsonToken.BEGIN_OBJECT) {
                hasVocabulary = true;
                readVocabulary(in);
            } else if (key.equals("vocab") && in.peek() == JsonToken.BEGIN_ARRAY) {
                readScores(in);
            } else if (key.equals("merges") && in.peek() == JsonToken.BEGIN_ARRAY) {
                mergeHalves = new ArrayList<>();
                readMerges(in);
            } else if (key.equals("vocab") || key.equals("merges")) {
                in.skipValue(); // of another kind of model, which the type will tell
            } else {
                modelParts.add(key, JsonParser.parseReader(in));
            }
        }
        in.endObject();
    }

    private String once(String key, Set<String> seen, String path) {
        if (!seen.add(key)) {
            throw new TillerException(source + ": " + path + key + ": expected the key once, found it again");
        }
        return key;
    }

    private void readVocabulary(JsonReader in) throws IOException {
        in.beginObject();
        while (in.hasNext()) {
            String token = in.nextName();
            vocabulary.add(token, in.nextInt());
        }
        in.endObject();
    }

    /** Tokens [text, score] whose ids are their places. */
    private void readScores(JsonReader in) throws IOException {
        scores = new double[1 << 10];
        int size = 0;
        in.beginArray();
        while (in.hasNext()) {
            if (size == scores.length) {
                scores = Arrays.copyOf(scores, size * 2);
            }
            in.beginArray();
            vocabulary.add(in.nextString(), size);
            if (in.peek() != JsonToken.NUMBER) {
                throw new IllegalStateException(
                        "expected a number for the score, found " + in.peek() + " at " + in.getPath());
            }
            scores[size++] = DecimalScore.parse(in.nextString());
            in.endArray();
        }
        in.endArray();
        scores = Arrays.copyOf(scores, size);
    }

    /** Merges are strings "a b" or, where tokens can hold spaces, arrays ["a", "b"]. */
    private void readMerges(JsonReader in) throws IOException {
        in.beginArray();
        while (in.hasNext()) {
            if (in.peek() == JsonToken.BEGIN_ARRAY) {
                in.beginArray();
                mergeHalves.add(in.nextString());
                mergeHalves.add(in.nextString());
                in.endArray();
                continue;
            }
            String merge = in.nextString();
            if (!merge.startsWith("#version")) {
                addMerge(merge, mergeHalves, source + ": model.merges");
            }
        }
        in.endArray();
    }

    /** Splits "a b" and appends the halves. */
    static void addMerge(String merge, List<String> halves, String place) {
        int space = merge.indexOf(' ');
        if (space < 0 || merge.indexOf(' ', space + 1) >= 0) {
            throw notTwo(merge, halves.size() / 2, place);
        }
        halves.add(merge.substring(0, space));
        halves.add(merge.substring(space + 1));
    }

    /** Merges of the given pairs, a, b, a, b..., ranked in their order; the sum has no prefix of b. */
    static Merges merges(List<String> halves, Vocabulary vocabulary, String prefix, String place) {
        Merges merges = new Merges(halves.size() / 2);
        for (int i = 0; i < halves.size(); i += 2) {
            int left = vocabulary.id(halves.get(i));
            int right = vocabulary.id(halves.get(i + 1));
            String second = halves.get(i + 1);
            String sum = halves.get(i) + second.substring(second.startsWith(prefix) ? prefix.length() : 0);
            int result = vocabulary.id(sum);
            if (left < 0 || right < 0 || result < 0) {
                throw notTokens(halves.get(i), halves.get(i + 1), i / 2, place);
            }
            merges.add(left, right, i / 2, result);
        }
        return merges;
    }

    static TillerException notTwo(String merge, int at, String place) {
        return new TillerException(
                place + "[" + at + "]: expected two tokens with a space between, found \"" + merge + "\"");
    }

    static TillerException notTokens(String left, String right, int at, String place) {
        return new TillerException(place + "[" + at + "]: expected tokens of the vocabulary, found \"" + left
                + "\" and \"" + right + "\", of which one or their sum is not");
    }

    private Tokenizer build() {
        TokenModel model = TokenModels.read(
                Section.of(source, "model", modelParts), vocabulary, hasVocabulary, mergeHalves, scores);
        TextNormalizer normalizer = TextNormalizer.read(part("normalizer"));
        AddedTokens verbatim = new AddedTokens();
        AddedTokens normalized = new AddedTokens();
        List<AddedToken> specialFirst = new ArrayList<>(addedTokens());
        specialFirst.sort(Comparator.comparing(AddedToken::special).reversed()); // the first of equal texts counts
        for (AddedToken token : specialFirst) {
            vocabulary.addOnTop(token.content(), token.id(), token.special());
            if (token.normalized()) {
                String pattern =
                        normalizer.normalize(AlignedText.of(token.content())).text();
                normalized.add(token, pattern);
                vocabulary.decodeFrom(token.id(), pattern); // so that the decoder finds what it knows how to undo
            } else {
                verbatim.add(token, token.content());
            }
        }
        return new Tokenizer(
                vocabulary,
                verbatim,
                normalized,
                normalizer,
                PreTokenizer.read(part("pre_tokenizer")),
                model,
                PostProcessor.read(part("post_processor"), vocabulary),
                DecoderStep.read(part("decoder")));
    }

    private Section part(String key) {
        return Section.of(source, key, parts.get(key));
    }

    private List<AddedToken> addedTokens() {
        if (!parts.has("added_tokens")) {
            return List.of();
        }
        List<AddedToken> out = new ArrayList<>();
        for (Section token : Section.of(source, "", parts).sections("added_tokens")) {
            token.only("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
            out.add(new AddedToken(
                    token.count("id"),
                    token.text("content"),
                    token.flag("single_word"),
                    token.flag("lstrip"),
                    token.flag("rstrip"),
                    token.flag("normalized"),
                    token.flag("special")));
        }
        return out;
    }
}
