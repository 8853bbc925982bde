package dev.tiller.persona.vectors;

import com.google.gson.JsonObject;
import dev.tiller.loader.DType;
import dev.tiller.loader.Json;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Vectors of steering-lite ({@code layer<b>.v} and a configuration) and of saklas ({@code layer_<b>}). */
final class SafetensorsImport {
    private static final Pattern LITE = Pattern.compile("layer(\\d{1,6})\\.(?:shared\\.)?(v|V)");
    private static final Pattern SAKLAS = Pattern.compile("layer_(\\d{1,6})");

    private SafetensorsImport() {}

    static Draft read(Path path, ImportOptions options) {
        try (Safetensors file = Safetensors.open(path)) {
            if (VectorFile.isVectorFile(path)) {
                throw new TillerException("is a vector file of ours already");
            }
            Tool tool = options.from() != null ? options.from() : detect(file);
            Draft draft = new Draft(tool);
            if (tool == Tool.STEERING_LITE) {
                lite(draft, file);
            } else {
                tensors(draft, file, SAKLAS, "layer_<block>");
                sidecar(draft, path);
            }
            return draft;
        }
    }

    private static Tool detect(Safetensors file) {
        if (file.metadata().containsKey("cfg")) {
            return Tool.STEERING_LITE;
        }
        if (!file.tensors().isEmpty()
                && file.tensors().keySet().stream()
                        .allMatch(n -> SAKLAS.matcher(n).matches())) {
            return Tool.SAKLAS;
        }
        throw new TillerException("nothing in it says who wrote it; say --from TOOL, one of "
                + Tool.names(Tool.writing(Tool.Kind.SAFETENSORS)));
    }

    private static void tensors(Draft draft, Safetensors file, Pattern name, String expected) {
        for (TensorView t : file.tensors().values()) {
            Matcher m = name.matcher(t.name());
            if (!m.matches()) {
                throw new TillerException("tensor " + t.name() + ": expected " + expected);
            }
            draft.layer(Integer.parseInt(m.group(1)), rows(draft, t));
        }
    }

    private static float[][] rows(Draft draft, TensorView t) {
        long[] shape = t.shape();
        if (shape.length < 1
                || shape.length > 2
                || t.elements() == 0
                || !t.dtype().isFloat()) {
            throw new TillerException(
                    "tensor " + t.describe() + ": expected floating-point numbers [hidden] or [k, hidden]");
        }
        String rounded = "its float64 values are rounded to float32";
        if (t.dtype() == DType.F64 && !draft.notes.contains(rounded)) {
            draft.notes.add(rounded);
        }
        float[] all = t.toFloats();
        int d = t.columns();
        float[][] out = new float[all.length / d][];
        for (int k = 0; k < out.length; k++) {
            out[k] = Arrays.copyOfRange(all, k * d, (k + 1) * d);
        }
        return out;
    }

    /** The configuration says what is done with v: added, or projected out and replaced by a constant. */
    private static void lite(Draft draft, Safetensors file) {
        String text = file.metadata().get("cfg");
        if (text == null) {
            throw new TillerException("metadata: expected the key \"cfg\" of steering-lite, found none");
        }
        String where = "metadata: cfg";
        JsonObject cfg = Json.parseObject(text, where);
        draft.source.add("cfg", cfg);
        String target = Json.stringOr(cfg, "target", "residual", where);
        if (!target.equals("residual") || Json.has(cfg, "target_submodule")) {
            throw new TillerException(
                    where + ": expected the target \"residual\" without submodule, found \"" + target + "\"");
        }
        tensors(draft, file, LITE, "layer<block>.v");
        String method = Json.string(cfg, "method", where);
        double coefficient = Json.numberOr(cfg, "coeff", 1, where);
        JsonObject amount = new JsonObject();
        switch (method) {
            case "mean_diff", "pca" -> {
                draft.op = "add";
                amount.addProperty("default", coefficient);
                draft.put("alpha", amount);
            }
            case "directional_ablation" -> {
                draft.op = coefficient == 0 ? "ablate" : "set";
                for (int block : draft.directions.keySet()) {
                    JsonObject bound = new JsonObject();
                    bound.addProperty("value", coefficient);
                    amount.add(Integer.toString(block), bound);
                }
                if (coefficient != 0) {
                    draft.put("bounds", amount);
                }
            }
            default ->
                throw new TillerException(where + ": method \"" + method
                        + "\" is not supported; accepted: mean_diff, pca, directional_ablation");
        }
        JsonObject o = new JsonObject();
        o.addProperty("name", method);
        draft.put("method", o);
        if (Json.boolOr(cfg, "normalize", method.equals("directional_ablation"), where)) {
            draft.metadata.put("units", "unit norm");
        }
    }

    /** saklas writes what it knows beside the file. */
    private static void sidecar(Draft draft, Path path) {
        String name = path.getFileName().toString();
        int dot = name.lastIndexOf('.');
        Path beside = path.resolveSibling((dot < 0 ? name : name.substring(0, dot)) + ".json");
        if (Files.isRegularFile(beside)) {
            JsonObject o = Json.readObject(beside);
            draft.source.add("sidecar", o);
            String method = Json.stringOr(o, "method", null, beside.toString());
            if (method != null) {
                JsonObject named = new JsonObject();
                named.addProperty("name", method);
                draft.put("method", named);
            }
        }
    }
}
