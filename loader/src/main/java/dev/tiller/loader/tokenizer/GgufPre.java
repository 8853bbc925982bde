package dev.tiller.loader.tokenizer;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * What {@code tokenizer.ggml.pre} stands for: how the text of a byte-level model is cut before merging. The names and rules
 * are those of llama.cpp, the expressions those of the models' own tokenizer.json where that is known.
 *
 * @param cuts expressions; what matches becomes a piece of its own, and each works on the pieces of the one before
 * @param ignoreMerges whether a piece that is a token as a whole is that token
 * @param startsText whether a text begins with the start token unless the file says otherwise
 * @param composed whether the model's own tokenizer composes characters first (NFC); llama.cpp does not
 */
record GgufPre(List<String> cuts, boolean ignoreMerges, boolean startsText, boolean composed) {
    private static final String WORDS =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    private static final String DIGIT = "\\p{N}";
    private static final String THREE_DIGITS = "[0-9][0-9][0-9]";

    private static final String SHORT_FORMS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String LETTERS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
    private static final String SIGNS = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
    private static final String SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    /** Words in which a change from small to capital letters begins a new one. */
    private static final String CAPITALS = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";

    private static final String SMALL = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String PATHS = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*";

    private static final String NOT_MARKS = " ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+";
    private static final String HAN = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

    /** The letters of deepseek-llm: Latin, Greek, Cyrillic and other alphabets with two cases. */
    private static final String CASED =
            "\\s?[A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-"
                    + "\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1"
                    + "\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD"
                    + "\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D"
                    + "\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-"
                    + "\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4"
                    + "\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D"
                    + "\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4"
                    + "\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E"
                    + "\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\uD801\uDC00-\uD801\uDC4F"
                    + "\uD801\uDCB0-\uD801\uDCD3\uD801\uDCD8-\uD801\uDCFB\uD803\uDC80-\uD803\uDCB2\uD803\uDCC0-"
                    + "\uD803\uDCF2\uD806\uDCA0-\uD806\uDCDF\uD83A\uDD00-\uD83A\uDD43]+";

    private static final Map<String, GgufPre> TABLE = table();

    private GgufPre(String... cuts) {
        this(List.of(cuts), false, false, false);
    }

    private static Map<String, GgufPre> table() {
        Map<String, GgufPre> t = new HashMap<>();
        put(t, new GgufPre(WORDS), "gpt-2 phi-2 gigachat a.x-4.0 mellum exaone4 jais trillion");
        put(t, new GgufPre(WORDS).nfc(), "mpt olmo");
        put(t, new GgufPre(DIGIT, WORDS), "smollm starcoder refact codeshell exaone minerva-7b");
        put(t, new GgufPre(DIGIT, WORDS).nfc(), "command-r");
        put(t, new GgufPre("[\\p{P}\\$\\+<=>\\^~\\|`]+", WORDS, THREE_DIGITS), "falcon");
        put(t, new GgufPre("[\\p{P}\\$\\+<=>\\^~\\|]+", WORDS, "\\p{N}+", THREE_DIGITS), "default");
        GgufPre llama3 = new GgufPre(words("\\p{N}{1,3}"));
        put(t, llama3.whole().start(), "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2");
        put(t, llama3, "dbrx smaug-bpe glm4 chatglm-bpe");
        put(t, new GgufPre(words(DIGIT)).nfc(), "qwen2 deepseek-r1-qwen megrez");
        put(t, new GgufPre(words(DIGIT)), "stablelm2 hunyuan");
        String codes = "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|";
        put(t, new GgufPre(SHORT_FORMS + "|" + LETTERS + codes + SPACES), "seed-coder");
        String tekken = CAPITALS + "*" + SMALL + "+|" + CAPITALS + "+" + SMALL + "*|\\p{N}|" + PATHS + "|" + SPACES;
        put(t, new GgufPre(tekken).whole().start(), "tekken");
        String cased = CAPITALS + "*" + SMALL + "+" + SHORT_FORMS + "?|" + CAPITALS + "+" + SMALL + "*" + SHORT_FORMS;
        put(t, new GgufPre(cased + "?|\\p{N}{1,3}|" + PATHS + "|" + SPACES), "gpt-4o llama4");
        put(t, new GgufPre(NOT_MARKS), "poro-chat bloom gpt3-finnish");
        put(t, new GgufPre(NOT_MARKS, DIGIT), "viking");
        String marks = "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+";
        put(t, new GgufPre("[\\r\\n]", CASED, marks, "\\s+$", HAN, "\\p{N}+"), "deepseek-llm");
        put(t, new GgufPre("[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN, DIGIT), "deepseek-coder");
        String signed =
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                        + " ?[\\p{P}\\p{S}]+[\\r\\n]*|";
        put(
                t,
                new GgufPre("\\p{N}{1,3}", "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+", signed + SPACES),
                "deepseek-v3 hunyuan-dense");
        return Map.copyOf(t);
    }

    private static void put(Map<String, GgufPre> table, GgufPre rules, String names) {
        for (String name : names.split(" ")) {
            table.put(name, rules);
        }
    }

    private static String words(String numbers) {
        return SHORT_FORMS + "|" + LETTERS + "|" + numbers + "|" + SIGNS + "|" + SPACES;
    }

    private GgufPre nfc() {
        return new GgufPre(cuts, ignoreMerges, startsText, true);
    }

    private GgufPre whole() {
        return new GgufPre(cuts, true, startsText, composed);
    }

    private GgufPre start() {
        return new GgufPre(cuts, ignoreMerges, true, composed);
    }

    /**
     * The rules of that name, or null. Files from before the key was introduced have none: theirs is the way of GPT-2, as
     * most byte-level models of that time cut their text so.
     */
    static GgufPre of(String name) {
        return TABLE.get(name == null ? "gpt-2" : name);
    }

    /** All names, for messages. */
    static String names() {
        return String.join(", ", new TreeSet<>(TABLE.keySet()));
    }

    /** The "pre_tokenizer" of a tokenizer.json that cuts so and then writes bytes as characters. */
    JsonObject json() {
        JsonArray steps = new JsonArray();
        boolean words = cuts.getLast().equals(WORDS); // ByteLevel does that one itself
        for (String cut : words ? cuts.subList(0, cuts.size() - 1) : cuts) {
            steps.add(cut.equals(DIGIT) ? digits() : split(cut));
        }
        JsonObject bytes = typed("ByteLevel");
        bytes.addProperty("add_prefix_space", false);
        bytes.addProperty("trim_offsets", true);
        bytes.addProperty("use_regex", words);
        if (steps.isEmpty()) {
            return bytes;
        }
        steps.add(bytes);
        return sequence("pretokenizers", steps);
    }

    private static JsonObject digits() {
        JsonObject digits = typed("Digits");
        digits.addProperty("individual_digits", true);
        return digits;
    }

    private static JsonObject split(String regex) {
        JsonObject pattern = new JsonObject();
        pattern.addProperty("Regex", regex);
        JsonObject split = typed("Split");
        split.add("pattern", pattern);
        split.addProperty("behavior", "Isolated");
        split.addProperty("invert", false);
        return split;
    }

    /** An object whose "type" is that. */
    static JsonObject typed(String type) {
        JsonObject object = new JsonObject();
        object.addProperty("type", type);
        return object;
    }

    /** A "Sequence" of those steps under that key. */
    static JsonObject sequence(String key, JsonElement steps) {
        JsonObject sequence = typed("Sequence");
        sequence.add(key, steps);
        return sequence;
    }
}
