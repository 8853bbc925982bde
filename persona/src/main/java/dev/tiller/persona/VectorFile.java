package dev.tiller.persona;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.Json;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A vector on disk: a safetensors file with one direction per block, {@code <site>.<b>} F32 [d] with b counted from 0 (or
 * [k, d]: several), and metadata that says what it is, where it was found and how. A file that does not say its operation,
 * site and index base is refused: those would have to be guessed. The keys are listed in docs/vector-files.md.
 */
public final class VectorFile {
    /** Version of the format; files with another one are refused. */
    public static final int VERSION = 1;

    static final String VERSION_KEY = "format_version";
    static final String OP = "op";
    static final String SITE = "site";
    static final String INDEX_BASE = "index_base";
    static final String TRAIT = "trait";
    static final String MODEL = "model";

    /**
     * One tensor of the file.
     *
     * @param shape dimensions, outermost first
     * @param norm Euclidean length of all its values
     */
    public record Entry(String name, String dtype, List<Long> shape, double norm) {}

    private final Path path;
    private final Map<String, String> metadata;
    private final VectorContent content;
    private final String fingerprint;
    private final List<Entry> tensors;
    private SteeringVector steering;
    private SteeringVector incremental;

    private VectorFile(
            Path path, Map<String, String> metadata, VectorContent content, String fingerprint, List<Entry> tensors) {
        this.path = path;
        this.metadata = metadata;
        this.content = content;
        this.fingerprint = fingerprint;
        this.tensors = tensors;
    }

    /**
     * Writes a vector, complete or not at all.
     *
     * @param model the model it was found in
     * @param extra further metadata, e.g. the seed; a key that the format uses itself is an error
     */
    public static void write(Path file, PersonaVector vector, Model model, Map<String, String> extra) {
        VectorWriter.write(file, vector, model, extra);
    }

    /** Writes directions with their metadata, complete or not at all. */
    public static void write(Path file, VectorContent content) {
        VectorWriter.write(file, content);
    }

    /** The metadata keys that bind a file to a model: {@code model}, {@code tokenizer} and {@code template}. */
    public static Map<String, String> modelMetadata(Model model) {
        return VectorWriter.modelMetadata(model);
    }

    /** Reads and checks a file. */
    public static VectorFile read(Path file) {
        try (Safetensors open = Safetensors.open(file)) {
            Map<String, String> metadata = open.metadata();
            Site site = checkMetadata(file, metadata);
            VectorContent content = content(file, open, site);
            JsonObject model = metadata.containsKey(MODEL)
                    ? Json.parseObject(metadata.get(MODEL), file + ": metadata: " + MODEL)
                    : new JsonObject();
            checkModel(file, model, content);
            String fingerprint = Json.stringOr(model, "fingerprint", null, file + ": metadata: " + MODEL);
            return new VectorFile(file, Map.copyOf(metadata), content, fingerprint, entries(open));
        }
    }

    /** True if the file's metadata claims this format, in whatever version. */
    public static boolean isVectorFile(Path file) {
        try (Safetensors open = Safetensors.open(file)) {
            return open.metadata().containsKey(VERSION_KEY);
        }
    }

    private static Site checkMetadata(Path file, Map<String, String> metadata) {
        String version = needed(file, metadata, VERSION_KEY);
        if (!version.equals(Integer.toString(VERSION))) {
            throw new TillerException(
                    file + ": metadata: " + VERSION_KEY + " " + version + " is not supported; expected " + VERSION);
        }
        String op = needed(file, metadata, OP);
        VectorContent.checkOp(op, file + ": metadata");
        Site site = Site.of(needed(file, metadata, SITE), file + ": metadata: " + SITE);
        String base = needed(file, metadata, INDEX_BASE);
        if (!base.equals("0")) {
            throw new TillerException(file + ": metadata: " + INDEX_BASE + " \"" + base + "\": expected 0");
        }
        return site;
    }

    private static String needed(Path file, Map<String, String> metadata, String key) {
        String value = metadata.get(key);
        if (value == null) {
            throw new TillerException(file + ": is no vector file: metadata key \"" + key + "\" is missing (it has "
                    + new java.util.TreeSet<>(metadata.keySet()) + ")");
        }
        return value;
    }

    private static VectorContent content(Path file, Safetensors open, Site site) {
        Pattern name = Pattern.compile(Pattern.quote(site.key()) + "\\.(0|[1-9]\\d{0,5})");
        SortedMap<Integer, float[][]> directions = new TreeMap<>();
        Map<String, float[]> extras = new TreeMap<>();
        for (TensorView t : open.tensors().values()) {
            Matcher m = name.matcher(t.name());
            if (m.matches()) {
                directions.put(Integer.parseInt(m.group(1)), rows(t));
            } else if (t.name().startsWith(site.key() + ".")) {
                throw new TillerException(file + ": tensor " + t.name() + ": expected " + site.key() + ".<block>");
            } else if (t.shape().length == 1 && t.elements() > 0 && t.dtype().isFloat()) {
                extras.put(t.name(), t.toFloats());
            }
        }
        if (directions.isEmpty()) {
            throw new TillerException(file + ": has no tensor " + site.key() + ".<block>, only "
                    + open.tensors().keySet());
        }
        int width = directions.get(directions.firstKey())[0].length;
        extras.values().removeIf(v -> v.length != width || hasNoValue(v));
        Map<String, String> others = new LinkedHashMap<>(open.metadata());
        String op = others.get(OP);
        List.of(VERSION_KEY, OP, SITE, INDEX_BASE).forEach(others::remove);
        try {
            return new VectorContent(op, site, directions, extras, others);
        } catch (TillerException e) {
            throw new TillerException(file + ": " + e.getMessage(), e);
        }
    }

    private static boolean hasNoValue(float[] v) {
        for (float x : v) {
            if (!Float.isFinite(x)) {
                return true;
            }
        }
        return false;
    }

    /** [k][d] values of a tensor [d] or [k, d]. */
    static float[][] rows(TensorView t) {
        if (t.shape().length == 1) {
            return new float[][] {direction(t)};
        }
        if (t.shape().length != 2 || t.elements() == 0) {
            throw new TillerException(
                    "tensor " + t.describe() + ": expected one dimension, a direction, or two, directions as rows");
        }
        float[] all = finite(t);
        int d = t.columns();
        float[][] out = new float[t.rows()][];
        for (int k = 0; k < out.length; k++) {
            out[k] = Arrays.copyOfRange(all, k * d, (k + 1) * d);
        }
        return out;
    }

    /** [d] finite values of a one-dimensional tensor. */
    static float[] direction(TensorView t) {
        if (t.shape().length != 1 || t.elements() == 0) {
            throw new TillerException("tensor " + t.describe() + ": expected one dimension, a direction");
        }
        return finite(t);
    }

    private static float[] finite(TensorView t) {
        float[] v = t.toFloats();
        for (int i = 0; i < v.length; i++) {
            if (!Float.isFinite(v[i])) {
                throw new TillerException("tensor " + t.describe() + ": value " + i + " is " + v[i]);
            }
        }
        return v;
    }

    private static void checkModel(Path file, JsonObject model, VectorContent content) {
        String where = file + ": metadata: " + MODEL;
        int hidden = Json.intOr(model, "hidden_size", content.width(), where);
        if (hidden != content.width()) {
            throw new TillerException(
                    where + ": hidden_size " + hidden + ", the tensors have width " + content.width());
        }
        int blocks = Json.intOr(model, "blocks", Integer.MAX_VALUE, where);
        if (content.directions().lastKey() >= blocks) {
            throw new TillerException(file + ": a tensor for block "
                    + content.directions().lastKey() + ", the model has " + blocks + " blocks");
        }
    }

    private static List<Entry> entries(Safetensors open) {
        List<Entry> out = new ArrayList<>();
        for (TensorView t : open.tensors().values()) {
            List<Long> shape = Arrays.stream(t.shape()).boxed().toList();
            out.add(new Entry(t.name(), t.dtype().name(), shape, Vectors.norm(t.toFloats())));
        }
        return out;
    }

    /** The file it was read from. */
    public Path path() {
        return path;
    }

    /** All metadata as stored; structured values are JSON. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** A structured value of the metadata, or null if the key is absent. */
    public JsonElement metadataJson(String key) {
        String value = metadata.get(key);
        return value == null ? null : Json.parse(value, path + ": metadata: " + key);
    }

    /** Directions, operation, site and further metadata. */
    public VectorContent content() {
        return content;
    }

    /** What the directions are for, e.g. "add". */
    public String op() {
        return content.op();
    }

    /** The trait, or the name of the file. */
    public String name() {
        return metadata.getOrDefault(TRAIT, path.getFileName().toString());
    }

    /** Fingerprint of the model that the directions belong to, or null if the file does not say. */
    public String modelFingerprint() {
        return fingerprint;
    }

    /** The directions, bound to the model they were found in; refused if a block has several. Always the same object. */
    public synchronized SteeringVector steering() {
        if (steering == null) {
            steering = content.steering(name(), fingerprint);
        }
        return steering;
    }

    /**
     * The differences from block to block, for steering at all of them at once: u_b = v_b - v_a with a the block before b
     * in the file, and the first block's direction as it is. Always the same object.
     */
    public synchronized SteeringVector incremental() {
        if (incremental == null) {
            if (steering().positions() > 1) {
                throw new TillerException(path + ": holds " + steering().positions()
                        + " positions per block; \"incremental\" is for directions");
            }
            List<Integer> blocks = content.blocks();
            float[][] rows = blocks.stream().map(steering().perBlock()::get).toArray(float[][]::new);
            float[][] increments = PersonaVector.increments(rows);
            Map<Integer, float[]> map = new TreeMap<>();
            for (int i = 0; i < increments.length; i++) {
                map.put(blocks.get(i), increments[i]);
            }
            incremental = new SteeringVector(name() + " (incremental)", null, content.site(), map, fingerprint)
                    .madeFor(steering().op());
        }
        return incremental;
    }

    /** All tensors of the file. */
    public List<Entry> tensors() {
        return tensors;
    }
}
