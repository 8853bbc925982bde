package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/** Tokens and their ids. Filled while a tokenizer is read, not changed afterwards. */
final class Vocabulary {
    /** Far above any model; keeps a damaged id from asking for gigabytes. */
    private static final int MAX_ID = 1 << 24;

    private final String source;
    private final Map<String, Integer> ids;
    private final BitSet special = new BitSet();
    /** Ids that only an added token has; the model never makes them. */
    private final BitSet outsideModel = new BitSet();

    /** Added tokens that are decoded in another form than their own: their normalized form. */
    private final Map<Integer, String> decodedForms = new HashMap<>();

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
        Integer earlier = ids.putIfAbsent(token, id);
        if (earlier != null) {
            throw new TillerException(
                    source + ": token \"" + token + "\": expected one id, found " + earlier + " and " + id);
        }
        place(token, id);
    }

    /** Adds a token that the model may have already, under the same id. */
    void addOnTop(String token, int id, boolean isSpecial) {
        Integer earlier = ids.get(token);
        if (earlier == null) {
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
        if (tokens[id] != null) {
            throw new TillerException(
                    source + ": id " + id + ": expected one token, found \"" + tokens[id] + "\" and \"" + token + "\"");
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
        return ids.getOrDefault(token, -1);
    }

    /** The id of a token of the model, or -1 for another text, be it an added token. */
    int modelId(String token) {
        int id = id(token);
        return id >= 0 && outsideModel.get(id) ? -1 : id;
    }

    /** The token of an id; an id that has none is an error. */
    String token(int id) {
        if (id < 0 || id >= size || tokens[id] == null) {
            throw new TillerException(
                    source + ": token id " + id + " is not in the vocabulary; expected 0 to " + (size - 1));
        }
        return tokens[id];
    }

    boolean has(int id) {
        return id >= 0 && id < size && tokens[id] != null;
    }

    boolean isSpecial(int id) {
        return id >= 0 && special.get(id);
    }
}
