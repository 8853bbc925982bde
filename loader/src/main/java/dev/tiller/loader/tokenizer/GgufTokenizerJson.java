package dev.tiller.loader.tokenizer;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.stream.JsonWriter;
import dev.tiller.loader.AtomicFile;
import java.io.IOException;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Writes the tokenizer of a GGUF file as a tokenizer.json: the same parts as {@link GgufTokenizers} puts together, with
 * vocabulary and merges. A SentencePiece vocabulary becomes BPE with byte fallback, its merges derived from the scores.
 */
final class GgufTokenizerJson {
    private static final Gson GSON =
            new GsonBuilder().disableHtmlEscaping().serializeNulls().create();

    private record Merge(String left, String right, int rank) {}

    private final GgufVocabulary keys;
    private final GgufRules rules;
    private final Vocabulary vocabulary;
    private final JsonWriter out;

    private GgufTokenizerJson(GgufVocabulary keys, Writer text) {
        this.keys = keys;
        this.rules = GgufRules.of(keys);
        this.vocabulary = GgufTokenizers.vocabulary(keys);
        this.out = new JsonWriter(text);
        out.setIndent("  ");
    }

    static void write(GgufVocabulary keys, Path file) {
        GgufTokenizers.build(keys); // what cannot be read here is not written either
        AtomicFile.write(file, channel -> write(keys, channel));
    }

    private static void write(GgufVocabulary keys, FileChannel channel) throws IOException {
        Writer text = Channels.newWriter(channel, StandardCharsets.UTF_8.newEncoder(), 1 << 16);
        new GgufTokenizerJson(keys, text).write();
        text.flush();
    }

    private void write() throws IOException {
        out.beginObject();
        out.name("version").value("1.0");
        put("truncation", JsonNull.INSTANCE);
        put("padding", JsonNull.INSTANCE);
        put("added_tokens", addedTokens());
        put("normalizer", rules.normalizer());
        put("pre_tokenizer", rules.preTokenizer());
        put("post_processor", postProcessor());
        put("decoder", rules.decoder());
        out.name("model").beginObject();
        model();
        out.endObject();
        out.endObject();
        out.flush();
    }

    private void put(String key, JsonElement value) throws IOException {
        out.name(key);
        GSON.toJson(value, out);
    }

    private JsonArray addedTokens() {
        JsonArray all = new JsonArray();
        for (AddedToken token : rules.added(vocabulary)) {
            JsonObject o = new JsonObject();
            o.addProperty("id", token.id());
            o.addProperty("content", token.content());
            o.addProperty("single_word", token.singleWord());
            o.addProperty("lstrip", token.stripLeft());
            o.addProperty("rstrip", token.stripRight());
            o.addProperty("normalized", token.normalized());
            o.addProperty("special", token.special());
            all.add(o);
        }
        return all;
    }

    private void model() throws IOException {
        boolean bytes = rules.byteLevel();
        out.name("type").value("BPE");
        out.name("dropout").nullValue();
        int unknown = rules.unknownId();
        out.name("unk_token").value(unknown < 0 ? null : vocabulary.token(unknown));
        out.name("continuing_subword_prefix").nullValue();
        out.name("end_of_word_suffix").nullValue();
        out.name("fuse_unk").value(!bytes);
        out.name("byte_fallback").value(!bytes);
        out.name("ignore_merges").value(rules.ignoreMerges());
        out.name("vocab").beginObject();
        for (int id = 0; id < vocabulary.size(); id++) {
            out.name(vocabulary.token(id)).value(id);
        }
        out.endObject();
        out.name("merges").beginArray();
        List<Merge> merges = bytes ? listed() : byScore();
        // "a b" is what every version of the tokenizers library reads; a line that begins with #version it would skip
        boolean pairs = merges.stream().anyMatch(m -> m.left.startsWith("#version"));
        for (Merge merge : merges) {
            if (pairs) {
                out.beginArray().value(merge.left).value(merge.right).endArray();
            } else {
                out.value(merge.left + " " + merge.right);
            }
        }
        out.endArray();
    }

    private List<Merge> listed() {
        List<Merge> merges = new ArrayList<>(keys.merges().size());
        for (String pair : keys.merges()) {
            int space = pair.indexOf(' ');
            merges.add(new Merge(pair.substring(0, space), pair.substring(space + 1), merges.size()));
        }
        return merges;
    }

    /**
     * Every way to put together a piece from two, the piece with the highest score first; of several ways the one with the
     * longest left part, as transformers orders them. A piece with a real space in it never comes from text, whose spaces
     * are written as U+2581.
     */
    private List<Merge> byScore() {
        List<Merge> merges = new ArrayList<>();
        GgufTokenizers.mergesByScore(keys, rules, vocabulary, (left, right, rank, result) -> {
            if (vocabulary.token(result).indexOf(' ') < 0) {
                merges.add(new Merge(vocabulary.token(left), vocabulary.token(right), rank));
            }
        });
        merges.sort(Comparator.comparingInt(Merge::rank).thenComparingInt(m -> -codePoints(m.left)));
        return merges;
    }

    private static int codePoints(String text) {
        return text.codePointCount(0, text.length());
    }

    /** The tokens around a text, and around each of two; null if there are none. */
    private JsonElement postProcessor() {
        if (rules.before().length + rules.after().length == 0) {
            return JsonNull.INSTANCE;
        }
        JsonArray single = new JsonArray();
        surround(single, "A", 0);
        JsonArray pair = new JsonArray();
        surround(pair, "A", 0);
        surround(pair, "B", 1);
        JsonObject tokens = new JsonObject();
        for (int[] ids : new int[][] {rules.before(), rules.after()}) {
            for (int id : ids) {
                JsonObject token = new JsonObject();
                token.addProperty("id", vocabulary.token(id));
                token.add("ids", GSON.toJsonTree(new int[] {id}));
                token.add("tokens", GSON.toJsonTree(new String[] {vocabulary.token(id)}));
                tokens.add(vocabulary.token(id), token);
            }
        }
        JsonObject template = GgufPre.typed("TemplateProcessing");
        template.add("single", single);
        template.add("pair", pair);
        template.add("special_tokens", tokens);
        return template;
    }

    private void surround(JsonArray out, String sequence, int type) {
        for (int id : rules.before()) {
            out.add(piece("SpecialToken", vocabulary.token(id), type));
        }
        out.add(piece("Sequence", sequence, type));
        for (int id : rules.after()) {
            out.add(piece("SpecialToken", vocabulary.token(id), type));
        }
    }

    private static JsonObject piece(String kind, String id, int type) {
        JsonObject inner = new JsonObject();
        inner.addProperty("id", id);
        inner.addProperty("type_id", type);
        JsonObject piece = new JsonObject();
        piece.add(kind, inner);
        return piece;
    }
}
