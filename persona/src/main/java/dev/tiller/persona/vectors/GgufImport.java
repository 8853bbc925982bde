package dev.tiller.persona.vectors;

import com.google.gson.JsonObject;
import dev.tiller.engine.Site;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.gguf.Gguf;
import dev.tiller.loader.gguf.GgufMetadata;
import dev.tiller.loader.gguf.GgufTensor;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Control vectors in GGUF files: {@code direction.N} acts on the output of block N, {@code direction.N.j} is the j-th of
 * several. Keys of the GLP extension say whether they are added or projected out, and where.
 */
final class GgufImport {
    private static final Pattern NAME = Pattern.compile("direction\\.(0|[1-9]\\d{0,5})(?:\\.(0|[1-9]\\d{0,3}))?");
    /** By how much the length of a unit vector may be off, rounded to 16 bits. */
    private static final double UNIT = 1e-2;

    private static final Set<String> ARCHITECTURES = Set.of("controlvector", "steeringvector");
    private static final Map<String, Site> HOOKS = Map.of(
            "residual_stream_post_layer", Site.RESID_POST,
            "ffn_out_pre_residual", Site.MLP_WRITE,
            "attn_out_pre_residual", Site.ATTN_WRITE);

    private final Gguf file;
    private final GgufMetadata keys;

    private GgufImport(Gguf file) {
        this.file = file;
        this.keys = file.metadata();
    }

    /** True if the file claims to hold a control vector, sound or not. */
    static boolean looksLike(Gguf file) {
        return file.metadata()
                        .string("general.architecture")
                        .map(ARCHITECTURES::contains)
                        .orElse(false)
                || !file.tensors().isEmpty()
                        && file.tensors().stream().allMatch(t -> t.name().startsWith("direction."));
    }

    static Draft read(Path path, ImportOptions options) {
        try (Gguf file = Gguf.open(path)) {
            return new GgufImport(file).read(options);
        }
    }

    private Draft read(ImportOptions options) {
        String architecture = keys.string("general.architecture").orElse("none");
        if (!looksLike(file)) {
            throw new TillerException(
                    "expected a control vector (general.architecture controlvector), found " + architecture);
        }
        Draft draft = new Draft(options.from() != null ? options.from() : detect(architecture));
        tensors(draft);
        keys.string(architecture + ".model_hint").ifPresent(hint -> draft.model.addProperty("type", hint));
        keys.string(architecture + ".method").ifPresent(method -> method(draft, method));
        for (String key : keys.keys()) {
            draft.source.addProperty(key, keys.describe(key));
        }
        units(draft);
        glp(draft);
        ours(draft);
        measured(draft, options);
        return draft;
    }

    /** What the writer's vectors usually are is no statement about this file: lengths that are not 1 are not called so. */
    private static void units(Draft draft) {
        boolean unit = draft.directions.values().stream()
                .flatMap(Arrays::stream)
                .allMatch(row -> Math.abs(Vectors.norm(row) - 1) < UNIT);
        if (draft.tool.units().equals("unit norm") && !unit) {
            draft.metadata.put("units", "unknown");
        }
    }

    private static void method(Draft draft, String method) {
        JsonObject o = new JsonObject();
        o.addProperty("name", method);
        draft.put("method", o);
    }

    /** The keys tell some writers; for the others it makes no difference what block a direction belongs to. */
    private Tool detect(String architecture) {
        if (keys.keys().stream().anyMatch(k -> k.startsWith("glp."))) {
            return Tool.GLP;
        }
        if (architecture.equals("steeringvector")) {
            return Tool.DIALZ;
        }
        boolean extras = keys.has("controlvector.method") || keys.has("controlvector.alpha");
        if (extras) {
            return Tool.EASYSTEER;
        }
        return keys.isSigned("controlvector.layer_count") ? Tool.LLAMA_CPP : Tool.REPENG;
    }

    private void tensors(Draft draft) {
        TreeMap<Integer, TreeMap<Integer, float[]>> found = new TreeMap<>();
        int width = -1;
        for (GgufTensor t : file.tensors()) {
            Matcher m = NAME.matcher(t.name());
            if (!m.matches()) {
                throw new TillerException(
                        "tensor " + t.name() + ": expected direction.<block>, and nothing else in the file");
            }
            if (t.dims().length != 1) {
                throw new TillerException(
                        "tensor " + t.name() + ": expected one dimension, found " + Arrays.toString(t.dims()));
            }
            float[] v = t.toFloats();
            if (width >= 0 && v.length != width) {
                throw new TillerException("tensor " + t.name() + ": width " + v.length + ", the others have " + width);
            }
            width = v.length;
            if (!t.type().name().equals("F32")) {
                note(
                        draft,
                        "its tensors are " + t.type() + ", which llama.cpp does not read; values are kept as float32");
            }
            int j = m.group(2) == null ? 0 : Integer.parseInt(m.group(2));
            if (found.computeIfAbsent(Integer.parseInt(m.group(1)), b -> new TreeMap<>())
                            .put(j, v)
                    != null) {
                throw new TillerException(
                        "tensor " + t.name() + ": block " + m.group(1) + " has both one direction and several");
            }
        }
        found.forEach((block, rows) -> {
            if (rows.lastKey() != rows.size() - 1) {
                throw new TillerException("direction." + block + ": expected numbers 0.." + (rows.size() - 1)
                        + ", found " + rows.keySet());
            }
            draft.block(block, rows.values().toArray(float[][]::new));
        });
        if (found.isEmpty()) {
            throw new TillerException("expected tensors direction.<block>, found none");
        }
        if (found.containsKey(0)) {
            note(draft, "it has direction.0, for which llama.cpp refuses the file");
        }
    }

    private static void note(Draft draft, String text) {
        if (!draft.notes.contains(text)) {
            draft.notes.add(text);
        }
    }

    // ---- GLP ----

    private void glp(Draft draft) {
        String mode = keys.string("glp.mode").orElse("add");
        draft.op = switch (mode) {
            case "add" -> "add";
            case "project" -> "ablate";
            default -> throw new TillerException("key glp.mode: expected add or project, found \"" + mode + "\"");
        };
        long version = keys.integer("glp.spec_version").orElse(1);
        if (version < 1 || version > 2) {
            throw new TillerException("key glp.spec_version: expected 1 or 2, found " + version);
        }
        String hook = keys.string("glp.hook_point").orElse("residual_stream_post_layer");
        draft.site = HOOKS.get(hook);
        if (draft.site == null) {
            throw new TillerException("key glp.hook_point: expected one of " + new TreeSet<>(HOOKS.keySet())
                    + ", found \"" + hook + "\"");
        }
        keys.number("glp.alpha_default").ifPresent(a -> alpha(draft, a));
        for (String scales : List.of("glp.dir_scales", "glp.layer_scales")) {
            for (float s : keys.has(scales) ? keys.floats(scales).orElseThrow() : new float[0]) {
                if (s != 1) {
                    throw new TillerException("key " + scales + ": scales other than 1 are not supported, found " + s);
                }
            }
        }
        zeroBased(draft);
        keys.string("glp.content_sha256").ifPresent(expected -> {
            if (!hashes().contains(expected.toLowerCase(java.util.Locale.ROOT))) {
                note(draft, "glp.content_sha256 is not the hash of its tensors; they may have been changed");
            }
        });
    }

    private static void alpha(Draft draft, double value) {
        JsonObject alpha = new JsonObject();
        alpha.addProperty("default", value);
        draft.put("alpha", alpha);
    }

    /** Either a truth value, or the numbers of the layers to compare with the names. */
    private void zeroBased(Draft draft) {
        String key = "glp.layer_ids_zero_based";
        if (!keys.has(key)) {
            return;
        }
        String said = keys.describe(key);
        if (said.startsWith("array")) {
            TreeSet<Integer> ids = new TreeSet<>();
            for (int id : keys.ints(key).orElseThrow()) {
                ids.add(id);
            }
            if (!ids.equals(draft.directions.keySet())) {
                throw new TillerException(
                        "key " + key + ": names layers " + ids + ", the tensors " + draft.directions.keySet());
            }
        } else if (!keys.bool(key).orElseThrow()) {
            throw new TillerException("key " + key + ": expected true, found false; the tensors count from 0");
        }
    }

    /** SHA-256 of the tensors' bytes in the order of the file and in the order of the layers. */
    private List<String> hashes() {
        List<String> out = new ArrayList<>();
        List<GgufTensor> tensors = new ArrayList<>(file.tensors());
        for (int i = 0; i < 2; i++) {
            try {
                MessageDigest digest = MessageDigest.getInstance("SHA-256");
                tensors.forEach(t -> digest.update(t.data().asByteBuffer()));
                out.add(HexFormat.of().formatHex(digest.digest()));
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException(e);
            }
            tensors.sort(java.util.Comparator.comparing((GgufTensor t) -> {
                        Matcher m = NAME.matcher(t.name());
                        return m.matches() ? Integer.parseInt(m.group(1)) : -1;
                    })
                    .thenComparing(GgufTensor::name));
        }
        return out;
    }

    // ---- our own keys ----

    private void ours(Draft draft) {
        keys.string("tiller.op").ifPresent(op -> draft.op = op);
        keys.string("tiller.trait").ifPresent(trait -> draft.metadata.put("trait", trait));
        keys.string("tiller.units").ifPresent(units -> draft.metadata.put("units", units));
        keys.string("tiller.site").ifPresent(site -> draft.site = Site.of(site, "key tiller.site"));
        for (String key : List.of("alpha", "method", "positions", "model")) {
            keys.string("tiller." + key).ifPresent(value -> {
                if (key.equals("model")) {
                    Json.parseObject(value, "key tiller.model").asMap().forEach(draft.model::add);
                } else {
                    draft.metadata.put(key, value);
                }
            });
        }
    }

    // ---- one block off ----

    /** These two measure a direction one block before the one that it is applied to. */
    private void measured(Draft draft, ImportOptions options) {
        if (draft.tool != Tool.LLAMA_CPP && draft.tool != Tool.JUKOFYORK) {
            if (options.measured()) {
                throw new TillerException(
                        "--measured: " + draft.tool.key() + " applies directions where it measures them");
            }
            return;
        }
        draft.source.addProperty("measured", "one block earlier than applied");
        if (!options.measured()) {
            draft.notes.add(
                    draft.tool.key() + " measures direction.N at block N-1 and applies it at block N, and so does this"
                            + " file; --measured puts it at N-1");
            return;
        }
        TreeMap<Integer, float[][]> applied = new TreeMap<>(draft.directions);
        draft.directions.clear();
        draft.layers = "block = layer - 1 (where it was measured)";
        applied.forEach((block, rows) -> {
            if (block == 0) {
                throw new TillerException("--measured: direction.0 would belong to the embedding");
            }
            draft.block(block - 1, rows);
        });
    }
}
