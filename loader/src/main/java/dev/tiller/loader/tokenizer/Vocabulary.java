package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.Utf8Texts;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Tokens and their ids. Filled while a tokenizer is read, not changed afterwards. */
final class Vocabulary {
    /** Far above any model; keeps a damaged id from asking for gigabytes. */
    private static final int MAX_ID = 1 << 24;

    /** No character takes more in UTF-8. */
    private static final int MAX_CHARACTER_BYTES = 4;

    private final String source;
    private final Map<String, Integer> ids;
    private final BitSet special = new BitSet();
    /** Ids that only an added token has; the model never makes them. */
    private final BitSet outsideModel = new BitSet();

    /** Added tokens that are decoded in another form than their own: their normalized form. */
    private final Map<Integer, String> decodedForms = new HashMap<>();

    /** The tokens with the first ids if all came at once, and where they are: strings are made of those that are used. */
    private Utf8Texts first = Utf8Texts.of(List.of());

    private TextIndex index = new TextIndex(first);

    private String[] tokens;
    private int size;

    Vocabulary(String source, int expected) {
        this.source = source;
        this.ids = HashMap.newHashMap(expected);
        this.tokens = new String[Math.max(16, expected)];
    }

    /** Adds a token of the model; a token or an id that is there already is an error. */
    void add(String token, int id) {
        checkRange(token, id);
        int earlier = id(token);
        if (earlier >= 0) {
            throw twice(token, earlier, id);
        }
        ids.put(token, id);
        place(token, id);
    }

    /** Adds all tokens of a model to an empty vocabulary, their ids being their places. */
    void addAll(Utf8Texts all) {
        if (!all.isEmpty()) {
            checkRange("", all.size() - 1);
        }
        first = all;
        index = new TextIndex(all);
        for (int id = 0; id < all.size(); id++) {
            int earlier = index.add(id);
            if (earlier >= 0) {
                throw twice(all.get(id), earlier, id);
            }
        }
        tokens = Arrays.copyOf(tokens, Math.max(tokens.length, all.size()));
        size = all.size();
    }

    /** Where the tokens of {@link #addAll} are found by their bytes. */
    TextIndex index() {
        return index;
    }

    private TillerException twice(String token, int earlier, int id) {
        return new TillerException(
                source + ": token \"" + token + "\": expected one id, found " + earlier + " and " + id);
    }

    /** The error that a text has no token and the model names none for unknown text. */
    TillerException noUnknown(String text) {
        return new TillerException(
                source + ": model: expected a token for \"" + text + "\" or one for unknown text, found neither");
    }

    /** Adds a token that the model may have already, under the same id. */
    void addOnTop(String token, int id, boolean isSpecial) {
        int earlier = id(token);
        if (earlier < 0) {
            add(token, id);
            outsideModel.set(id);
        } else if (earlier != id) {
            throw new TillerException(source + ": added token \"" + token + "\": expected id " + earlier
                    + " as in the vocabulary, found " + id);
        }
        special.set(id, isSpecial);
    }

    /** Lets a token be decoded from another string, which the decoder then turns into text. */
    void decodeFrom(int id, String form) {
        decodedForms.put(id, form);
    }

    /** What the decoder gets for an id; an id that has no token is an error. */
    String decodedForm(int id) {
        String token = token(id);
        return decodedForms.getOrDefault(id, token);
    }

    private void place(String token, int id) {
        if (id >= tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(id + 1, tokens.length + (tokens.length >> 1)));
        }
        if (has(id)) {
            throw new TillerException(
                    source + ": id " + id + ": expected one token, found \"" + token(id) + "\" and \"" + token + "\"");
        }
        tokens[id] = token;
        size = Math.max(size, id + 1);
    }

    private void checkRange(String token, int id) {
        if (id < 0 || id > MAX_ID) {
            throw new TillerException(
                    source + ": id of token \"" + token + "\": expected 0 to " + MAX_ID + ", found " + id);
        }
    }

    /** The largest id plus one. */
    int size() {
        return size;
    }

    /** The id of a token, or -1. */
    int id(String token) {
        Integer id = ids.get(token);
        if (id != null || first.isEmpty()) {
            return id == null ? -1 : id;
        }
        byte[] utf8 = token.getBytes(StandardCharsets.UTF_8);
        return index.find(utf8, 0, utf8.length);
    }

    /** The id of a token of the model, or -1 for another text, be it an added token. */
    int modelId(String token) {
        int id = id(token);
        return id >= 0 && outsideModel.get(id) ? -1 : id;
    }

    /** The token of an id; an id that has none is an error. */
    String token(int id) {
        if (!has(id)) {
            throw new TillerException(
                    source + ": token id " + id + " is not in the vocabulary; expected 0 to " + (size - 1));
        }
        String token = tokens[id];
        if (token == null) {
            token = first.get(id);
            tokens[id] = token;
        }
        return token;
    }

    boolean has(int id) {
        return id >= 0 && id < size && (id < first.size() || tokens[id] != null);
    }

    /** The code point that a token consists of, or -1 if it is none or several, or there is no such token. */
    int character(int id) {
        if (!has(id) || id < first.size() && first.end(id) - first.start(id) > MAX_CHARACTER_BYTES) {
            return -1;
        }
        String token = token(id);
        return !token.isEmpty() && token.length() == Character.charCount(token.codePointAt(0))
                ? token.codePointAt(0)
                : -1;
    }

    boolean isSpecial(int id) {
        return id >= 0 && special.get(id);
    }
}
