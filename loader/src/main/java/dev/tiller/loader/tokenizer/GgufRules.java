package dev.tiller.loader.tokenizer;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * What the keys of a GGUF file say, in the words of a tokenizer.json: its parts beside vocabulary and merges. Both the
 * tokenizer of the GGUF file and the tokenizer.json that is written from it are made of them, so that they cannot differ.
 */
final class GgufRules {
    private static final int NORMAL = 1;
    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int UNUSED = 5;
    private static final int BYTE = 6;

    private static final String SPACE_MARK = "\u2581";

    /** Control tokens of phi-3 that leave the white space behind them alone. */
    private static final Set<String> TAKE_NO_SPACE = Set.of("<unk>", "<s>", "<|endoftext|>");

    private final GgufVocabulary keys;
    private final GgufPre pre;

    private GgufRules(GgufVocabulary keys, GgufPre pre) {
        this.keys = keys;
        this.pre = pre;
    }

    /** Refuses kinds of vocabularies and of pre-tokenizers that are unknown, and keys that contradict each other. */
    static GgufRules of(GgufVocabulary keys) {
        String model = String.valueOf(keys.model());
        if (!model.equals("gpt2") && !model.equals("llama")) {
            throw new TillerException(keys.source() + ": tokenizer.ggml.model: expected \"gpt2\" or \"llama\", found \""
                    + keys.model() + "\"");
        }
        GgufRules rules = new GgufRules(keys, model.equals("gpt2") ? GgufPre.of(keys.pre()) : null);
        if (rules.byteLevel()) {
            rules.require(keys.merges() != null, "merges", "an array of pairs");
            if (rules.pre == null) {
                throw new TillerException(keys.source() + ": tokenizer.ggml.pre: expected one of " + GgufPre.names()
                        + ", found \"" + keys.pre() + "\"");
            }
        } else {
            rules.require(keys.scores() != null, "scores", "a number for each token");
        }
        rules.checkLength("scores", keys.scores() == null ? -1 : keys.scores().length);
        rules.checkLength("token_type", keys.tokenTypes() == null ? -1 : keys.tokenTypes().length);
        rules.checkEdge(keys.addBos(), keys.bosId(), "bos");
        rules.checkEdge(keys.addEos(), keys.eosId(), "eos");
        return rules;
    }

    private void require(boolean there, String key, String expected) {
        if (!there) {
            throw new TillerException(
                    keys.source() + ": tokenizer.ggml." + key + ": expected " + expected + ", found nothing");
        }
    }

    private void checkLength(String key, int found) {
        int tokens = keys.tokens().size();
        if (found >= 0 && found != tokens) {
            throw new TillerException(keys.source() + ": tokenizer.ggml." + key + ": expected " + tokens
                    + " entries as in tokens, found " + found);
        }
    }

    private void checkEdge(boolean wanted, int id, String name) {
        int tokens = keys.tokens().size();
        if (wanted && (id < 0 || id >= tokens)) {
            throw new TillerException(keys.source() + ": tokenizer.ggml." + name + "_token_id: expected an id below "
                    + tokens + ", since the file asks to add the token, found " + id);
        }
    }

    /** A byte-level vocabulary; otherwise one of SentencePiece. */
    boolean byteLevel() {
        return keys.model().equals("gpt2");
    }

    /** Whether a piece that is a token as a whole is that token. */
    boolean ignoreMerges() {
        return byteLevel() && pre.ignoreMerges();
    }

    /** The token for what cannot be spelled, or -1. */
    int unknownId() {
        if (byteLevel()) {
            return -1;
        }
        if (keys.unknownId() >= 0 && keys.unknownId() < keys.tokens().size()) {
            return keys.unknownId();
        }
        for (int id = 0; id < keys.tokens().size(); id++) {
            if (type(id) == UNKNOWN) {
                return id;
            }
        }
        return -1;
    }

    /** Tokens before the text. */
    int[] before() {
        return keys.addBos() ? new int[] {keys.bosId()} : new int[0];
    }

    /** Tokens behind the text. */
    int[] after() {
        return keys.addEos() ? new int[] {keys.eosId()} : new int[0];
    }

    /** Whether neighbours whose sum is this token may merge in a SentencePiece vocabulary. */
    boolean merging(int id) {
        int type = type(id);
        return type != UNKNOWN && type != CONTROL && type != UNUSED && type != BYTE;
    }

    private int type(int id) {
        return keys.tokenTypes() == null ? NORMAL : keys.tokenTypes()[id];
    }

    /** Tokens that are found in a text before anything else is done with it. */
    List<AddedToken> added(Vocabulary vocabulary) {
        List<AddedToken> out = new ArrayList<>();
        for (int id = 0; id < keys.tokens().size(); id++) {
            int type = type(id);
            boolean special = type == UNKNOWN || type == CONTROL;
            if (special || type == USER_DEFINED) {
                String token = vocabulary.token(id);
                boolean strip = keys.marksTakeSpace() && !TAKE_NO_SPACE.contains(token);
                out.add(new AddedToken(id, token, false, false, strip, false, special));
            }
        }
        return out;
    }

    /** "normalizer"; null in JSON if there is none. */
    JsonElement normalizer() {
        if (byteLevel()) {
            return pre.composed() ? GgufPre.typed("NFC") : JsonNull.INSTANCE;
        }
        JsonObject marks = replace(" ", SPACE_MARK);
        if (!keys.addSpacePrefix()) {
            return marks;
        }
        JsonObject prepend = GgufPre.typed("Prepend");
        prepend.addProperty("prepend", SPACE_MARK);
        return GgufPre.sequence("normalizers", array(prepend, marks));
    }

    /** "pre_tokenizer"; null in JSON if there is none. */
    JsonElement preTokenizer() {
        return byteLevel() ? pre.json() : JsonNull.INSTANCE;
    }

    /** "decoder". */
    JsonElement decoder() {
        if (byteLevel()) {
            JsonObject bytes = GgufPre.typed("ByteLevel");
            bytes.addProperty("add_prefix_space", true);
            bytes.addProperty("trim_offsets", true);
            bytes.addProperty("use_regex", true);
            return bytes;
        }
        JsonArray steps = array(replace(SPACE_MARK, " "), GgufPre.typed("ByteFallback"), GgufPre.typed("Fuse"));
        if (keys.addSpacePrefix()) {
            JsonObject strip = GgufPre.typed("Strip");
            strip.addProperty("content", " ");
            strip.addProperty("start", 1);
            strip.addProperty("stop", 0);
            steps.add(strip);
        }
        return GgufPre.sequence("decoders", steps);
    }

    private static JsonObject replace(String text, String by) {
        JsonObject pattern = new JsonObject();
        pattern.addProperty("String", text);
        JsonObject replace = GgufPre.typed("Replace");
        replace.add("pattern", pattern);
        replace.addProperty("content", by);
        return replace;
    }

    private static JsonArray array(JsonElement... elements) {
        JsonArray array = new JsonArray();
        for (JsonElement element : elements) {
            array.add(element);
        }
        return array;
    }
}
