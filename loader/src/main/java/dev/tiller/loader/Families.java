package dev.tiller.loader;

import com.google.gson.JsonElement;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/** Reads {@code families.txt}. An entry is parsed when its family is first asked for. */
final class Families {
    private static final String TABLE = "families.txt";
    private static final Map<String, List<String>> ENTRIES = entries();
    private static final Map<String, Whole> WHOLES = wholes();
    private static final Map<String, Family> READ = new ConcurrentHashMap<>();

    private Families() {}

    /** Every model_type that has an entry. */
    static Set<String> names() {
        return new TreeSet<>(ENTRIES.keySet());
    }

    /** The family of that model_type, or null. */
    static Family find(String modelType) {
        Family known = READ.get(modelType);
        if (known == null && ENTRIES.containsKey(modelType)) {
            known = new Entry(modelType).read(ENTRIES.get(modelType));
            READ.put(modelType, known);
        }
        return known;
    }

    /**
     * A model of several parts.
     *
     * @param text family of the part that is read
     * @param flat config.json may say at its top level what that part is
     */
    record Whole(String text, boolean flat) {}

    /** Every model_type of a model of several parts, and which of them is read. */
    static Map<String, Whole> wholesByName() {
        return WHOLES;
    }

    private static Map<String, Whole> wholes() {
        Map<String, Whole> wholes = new LinkedHashMap<>();
        ENTRIES.forEach((family, lines) -> {
            for (String line : lines) {
                String[] words = line.split(" +");
                if (words[0].equals("text_of")) {
                    wholes.put(words[1], new Whole(family, words.length > 2));
                }
            }
        });
        return wholes;
    }

    private static Map<String, List<String>> entries() {
        Map<String, List<String>> entries = new LinkedHashMap<>();
        List<String> current = null;
        for (String line : text().split("\n")) {
            String trimmed = line.strip();
            if (trimmed.startsWith("family ")) {
                current = new ArrayList<>();
                entries.put(trimmed.substring("family ".length()), current);
            } else if (!trimmed.isEmpty() && !trimmed.startsWith("#")) {
                current.add(trimmed);
            }
        }
        return entries;
    }

    private static String text() {
        try (InputStream in = Families.class.getResourceAsStream(TABLE)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(TABLE + " cannot be read", e);
        }
    }

    /** One entry while it is read. */
    private static final class Entry {
        private final String family;
        private final Map<String, JsonElement> defaults = new LinkedHashMap<>();
        private final Map<String, JsonElement> fixed = new LinkedHashMap<>();
        private final Map<String, List<String>> spelled = new HashMap<>();
        private final Map<String, JsonElement> only = new LinkedHashMap<>();
        private final Map<String, Map<String, String>> meanings = new HashMap<>();
        private final Map<WeightRole, String> patterns = new EnumMap<>(WeightRole.class);
        private final Set<WeightRole> ones = EnumSet.noneOf(WeightRole.class);
        private final Set<WeightRole> optional = EnumSet.noneOf(WeightRole.class);
        private final List<String> ignored = new ArrayList<>();
        private final Map<String, String> prefixes = new LinkedHashMap<>();
        private final Map<String, List<WeightRole>> others = new LinkedHashMap<>();
        private final Set<WeightNames.Stored> stored = EnumSet.noneOf(WeightNames.Stored.class);
        private ModelConfig.NormKind norm = ModelConfig.NormKind.RMS;
        private float normOffset;
        private ModelConfig.HeadNorm headNorm = ModelConfig.HeadNorm.NONE;
        private String headNormKey;
        private boolean parallel;
        private String parallelKey;
        private Family.Window window = Family.Window.NONE;
        private boolean rotatedInWindows;
        private boolean rootEmbedding;

        Entry(String family) {
            this.family = family;
        }

        Family read(List<String> lines) {
            for (String line : lines) {
                String[] words = line.split(" +");
                line(words[0], List.of(words).subList(1, words.length));
            }
            WeightNames names = new WeightNames(
                    family, patterns, ones, optional, stored, ignored, new OtherNames(prefixes, others));
            return new Family(
                    family,
                    defaults,
                    fixed,
                    spelled,
                    only,
                    meanings,
                    norm,
                    normOffset,
                    headNorm,
                    headNormKey,
                    parallel,
                    parallelKey,
                    window,
                    rotatedInWindows,
                    rootEmbedding,
                    names);
        }

        private void line(String what, List<String> words) {
            switch (what) {
                case "names_of" -> inherit(find(words.getFirst()).names());
                case "without" -> roles(words).forEach(patterns::remove);
                case "ones" -> {
                    ones.addAll(roles(words));
                    ones.forEach(patterns::remove);
                }
                case "optional" -> optional.addAll(roles(words));
                case "defaults" -> words.forEach(w -> put(defaults, w));
                case "fixed" -> words.forEach(w -> put(fixed, w));
                case "only" -> words.forEach(w -> put(only, w));
                case "spelled" -> spelled.put(words.getFirst(), words.subList(1, words.size()));
                case "means" ->
                    meanings.computeIfAbsent(words.getFirst(), k -> new HashMap<>())
                            .put(words.get(1), words.getLast());
                case "norm" -> {
                    norm = ModelConfig.NormKind.valueOf(upper(words.getFirst()));
                    normOffset = words.size() > 1 ? Float.parseFloat(words.getLast()) : 0;
                }
                case "head_norm" -> {
                    headNorm = ModelConfig.HeadNorm.valueOf(upper(words.getFirst()));
                    headNormKey = words.size() > 1 ? words.getLast() : null;
                }
                case "blocks" -> {
                    parallel = words.getFirst().equals("parallel");
                    parallelKey = words.size() > 1 ? words.getLast() : null;
                }
                case "window" -> window = Family.Window.valueOf(upper(words.getFirst()));
                case "rotated" -> rotatedInWindows = words.getFirst().equals("windows");
                case "embedding" -> rootEmbedding = words.getFirst().equals("root");
                case "stored" -> words.forEach(w -> stored.add(WeightNames.Stored.valueOf(upper(w))));
                case "ignore" -> ignored.add(words.getFirst());
                case "prefix" -> prefixes.put(words.getFirst(), words.getLast());
                case "text_of" -> {} // see wholes()
                case "other" -> others.put(words.getFirst(), roles(words.subList(1, words.size())));
                default -> patterns.put(WeightRole.valueOf(what), words.getFirst());
            }
        }

        private void inherit(WeightNames names) {
            patterns.putAll(names.patterns());
            ignored.addAll(names.ignored());
        }

        private static void put(Map<String, JsonElement> values, String keyAndValue) {
            int at = keyAndValue.indexOf('=');
            values.put(keyAndValue.substring(0, at), Json.parse(keyAndValue.substring(at + 1), TABLE));
        }

        private static List<WeightRole> roles(List<String> words) {
            return words.stream().map(WeightRole::valueOf).toList();
        }

        private static String upper(String word) {
            return word.toUpperCase(Locale.ROOT);
        }
    }
}
