package dev.tiller.persona.vectors;

import com.google.gson.JsonObject;
import dev.tiller.loader.DType;
import dev.tiller.loader.Json;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.torch.TorchFile;
import dev.tiller.loader.torch.TorchTensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Vectors in files of torch.save: which tool wrote them, and what their rows and layers mean. */
final class TorchImport {
    private static final Pattern PERSONA_NAME = Pattern.compile(".*(prompt|response)_(avg|last)_diff\\.pt");
    private static final Pattern CAA_NAME = Pattern.compile("vec_layer_(\\d{1,6})_.*\\.pt");
    private static final Pattern LAYER_KEY = Pattern.compile("(?:.*\\D)?(\\d{1,6})");

    private final Path path;
    private final Object root;
    private final ImportOptions options;
    private final String name;

    private TorchImport(Path path, Object root, ImportOptions options) {
        this.path = path;
        this.root = root;
        this.options = options;
        this.name = path.getFileName().toString();
    }

    static Draft read(Path path, ImportOptions options) {
        try (TorchFile file = TorchFile.open(path)) {
            return new TorchImport(path, file.root(), options).read();
        }
    }

    private Draft read() {
        Tool tool = options.from() != null ? options.from() : detect();
        if (tool == Tool.LM_EVAL) {
            return LmEvalImport.read(root);
        }
        Draft draft = new Draft(tool);
        if (isCapping(root)) {
            CappingImport.read(draft, (Map<?, ?>) root, options.experiment());
            return draft;
        }
        SortedMap<Integer, float[][]> layers = layers(draft);
        if (tool == Tool.PERSONA_VECTORS && root instanceof TorchTensor t && t.shape().length == 2) {
            personaRows(draft, layers);
        } else {
            layers.forEach(draft::layer);
        }
        if (tool == Tool.CAA) {
            draft.metadata.put("positions", "the token of the answer's letter");
        }
        return draft;
    }

    /** Rows 0..N of hidden_states: the last one comes after the final norm and is no direction of the residual stream. */
    private static void personaRows(Draft draft, SortedMap<Integer, float[][]> rows) {
        int last = rows.lastKey();
        if (last < 2) {
            throw new TillerException("expected rows for the embedding and at least two blocks, found " + (last + 1));
        }
        rows.headMap(last).forEach(draft::layer);
        draft.extras.put("final_norm", rows.get(last)[0]);
        draft.model.addProperty("blocks", last);
        draft.notes.add(
                "row " + last + " was measured after the final norm; it is kept as \"final_norm\" and not steered with,"
                        + " so block " + (last - 1) + " has no direction");
    }

    private static boolean isCapping(Object root) {
        return root instanceof Map<?, ?> map && map.containsKey("vectors") && map.containsKey("experiments");
    }

    // ---- whose file ----

    private Tool detect() {
        if (LmEvalImport.looksLike(root)) {
            return Tool.LM_EVAL;
        }
        if (isCapping(root) || root instanceof Map<?, ?> m && (isMatrix(m.get("axis")) || isMatrix(m.get("vector")))) {
            return Tool.ASSISTANT_AXIS;
        }
        if (root instanceof TorchTensor t) {
            int dimensions = t.shape().length;
            if (dimensions == 2 && PERSONA_NAME.matcher(name).matches()) {
                return Tool.PERSONA_VECTORS;
            }
            if (dimensions == 1 && CAA_NAME.matcher(name).matches()) {
                return Tool.CAA;
            }
            boolean refusal = dimensions == 3 && name.equals("mean_diffs.pt")
                    || dimensions == 1 && name.equals("direction.pt") && Files.exists(sidecar());
            if (refusal) {
                return Tool.REFUSAL_DIRECTION;
            }
            if (dimensions == 2 && options.model() != null) {
                return byRows(t.shape()[0]);
            }
        }
        throw new TillerException(
                "nothing in it says who wrote it, and tools count layers differently; say --from TOOL," + " one of "
                        + Tool.names(Tool.writing(Tool.Kind.TORCH)) + " (it holds " + describe(root) + ")");
    }

    /** A matrix has one row more than the model has blocks if row 0 is the embedding. */
    private Tool byRows(long rows) {
        int blocks = options.model().spec().blocks();
        if (rows == blocks + 1) {
            return Tool.PERSONA_VECTORS;
        }
        if (rows == blocks) {
            return Tool.ASSISTANT_AXIS;
        }
        throw new TillerException(
                "expected a row for each of the model's " + blocks + " blocks, or one more, found " + rows);
    }

    private static boolean isMatrix(Object value) {
        return value instanceof TorchTensor t && t.shape().length == 2;
    }

    private static String describe(Object value) {
        return switch (value) {
            case TorchTensor t -> "a tensor " + Arrays.toString(t.shape());
            case List<?> l -> "a list of " + l.size();
            case Map<?, ?> m -> "a dict with " + Messages.quote(String.valueOf(m.keySet()));
            case null -> "nothing";
            default -> "no tensor";
        };
    }

    // ---- its layers ----

    /** Layer as the file counts -> [k][d]. */
    private SortedMap<Integer, float[][]> layers(Draft draft) {
        SortedMap<Integer, float[][]> out = new TreeMap<>();
        Object value = root;
        if (value instanceof Map<?, ?> m && m.get("axis") instanceof TorchTensor t) {
            value = t;
        } else if (value instanceof Map<?, ?> m && m.get("vector") instanceof TorchTensor t) {
            value = t;
            if (m.get("role") instanceof String role) {
                draft.metadata.put("trait", role);
            }
        }
        switch (value) {
            case TorchTensor t -> tensor(draft, t, out);
            case List<?> list -> {
                for (int i = 0; i < list.size(); i++) {
                    out.put(i, new float[][] {row(draft, list.get(i), "entry " + i)});
                }
            }
            case Map<?, ?> map ->
                map.forEach((key, v) -> {
                    Matcher m = LAYER_KEY.matcher(String.valueOf(key));
                    if (!m.matches()) {
                        throw new TillerException(
                                "key " + Messages.quote(String.valueOf(key)) + ": expected the number of a layer");
                    }
                    int layer = Integer.parseInt(m.group(1));
                    if (out.put(layer, new float[][] {row(draft, v, "layer " + layer)}) != null) {
                        throw new TillerException("layer " + layer + ": expected once, found twice");
                    }
                });
            case null -> throw new TillerException("expected tensors, found nothing");
            default -> throw new TillerException("expected tensors, found none");
        }
        if (out.isEmpty()) {
            throw new TillerException("expected a layer, found none");
        }
        if (options.layer() != null && !(value instanceof TorchTensor t && t.shape().length == 1)) {
            int only = options.layer();
            out.keySet().removeIf(l -> l != only);
            if (out.isEmpty()) {
                throw new TillerException("--layer " + only + ": the file has no such layer");
            }
        }
        return out;
    }

    private void tensor(Draft draft, TorchTensor t, SortedMap<Integer, float[][]> out) {
        long[] shape = t.shape();
        float[] all = floats(draft, t);
        if (shape.length == 1) {
            out.put(singleLayer(draft), new float[][] {all});
            return;
        }
        if (shape.length != 2 && shape.length != 3 || all.length == 0) {
            throw new TillerException(
                    "expected a tensor [hidden], [layers, hidden] or [positions, layers, hidden], found "
                            + t.describe());
        }
        int positions = shape.length == 3 ? (int) shape[0] : 1;
        int layers = (int) shape[shape.length - 2];
        int d = (int) shape[shape.length - 1];
        int first = 0;
        int count = positions;
        if (options.position() != null) {
            first = options.position() < 0 ? options.position() + positions : options.position();
            if (first < 0 || first >= positions) {
                throw new TillerException(
                        "--position " + options.position() + ": expected " + -positions + ".." + (positions - 1));
            }
            count = 1;
            draft.source.addProperty("position", first - positions);
        } else if (positions > 1) {
            draft.metadata.put(
                    "positions", "one direction for each of the last " + positions + " tokens of the prompt");
            draft.notes.add(
                    "it holds " + positions + " positions, and all are kept; --position P takes one to steer with");
        }
        for (int l = 0; l < layers; l++) {
            float[][] rows = new float[count][];
            for (int k = 0; k < count; k++) {
                int at = ((first + k) * layers + l) * d;
                rows[k] = Arrays.copyOfRange(all, at, at + d);
            }
            out.put(l, rows);
        }
    }

    /** The layer of a file with one direction: as said, or by the file's name, or by the file beside it. */
    private int singleLayer(Draft draft) {
        Matcher caa = CAA_NAME.matcher(name);
        if (options.layer() != null) {
            return options.layer();
        }
        if (draft.tool == Tool.CAA && caa.matches()) {
            return Integer.parseInt(caa.group(1));
        }
        if (draft.tool == Tool.REFUSAL_DIRECTION && Files.exists(sidecar())) {
            JsonObject beside = Json.readObject(sidecar());
            draft.source.add("direction_metadata", beside);
            return Json.integer(beside, "layer", sidecar().toString());
        }
        throw new TillerException("it holds one direction and does not say of which layer; say --layer L (as "
                + draft.tool.key() + " counts)");
    }

    private Path sidecar() {
        return path.resolveSibling("direction_metadata.json");
    }

    /** [d] of a tensor [d] or [1, d]. */
    static float[] row(Draft draft, Object value, String what) {
        if (!(value instanceof TorchTensor t)) {
            throw new TillerException(what + ": expected a tensor, found " + describe(value));
        }
        long[] shape = t.shape();
        if (t.elements() == 0 || shape.length == 0 || shape[shape.length - 1] != t.elements()) {
            throw new TillerException(what + ": expected a tensor [hidden], found " + t.describe());
        }
        return floats(draft, t);
    }

    private static float[] floats(Draft draft, TorchTensor t) {
        if (!t.dtype().isFloat()) {
            throw new TillerException("expected floating-point numbers, found " + t.describe());
        }
        String rounded = "its float64 values are rounded to float32";
        if (t.dtype() == DType.F64 && !t.isExact() && !draft.notes.contains(rounded)) {
            draft.notes.add(rounded);
        }
        return t.toFloats();
    }
}
