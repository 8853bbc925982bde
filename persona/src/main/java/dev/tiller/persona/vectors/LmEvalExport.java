package dev.tiller.persona.vectors;

import com.google.gson.JsonObject;
import dev.tiller.engine.Site;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.torch.TorchWriter;
import dev.tiller.persona.VectorContent;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Steer files of lm-evaluation-harness: a dict from module names to vector, coefficient, action and bias. */
final class LmEvalExport {
    /** Name of the extra that keeps a bias, before the block's number. */
    static final String BIAS = "lm_eval.bias.";

    private LmEvalExport() {}

    static List<String> write(VectorContent v, Path out, String hook, Double coefficient) {
        Map<String, Object> root = new LinkedHashMap<>();
        JsonObject ops = VectorExport.object(v, "ops");
        JsonObject bounds = VectorExport.object(v, "bounds");
        int adds = 0;
        for (int block : v.blocks()) {
            String key = Integer.toString(block);
            String op = v.op().equals(VectorContent.MIXED) ? Json.string(ops, key, "metadata: ops") : v.op();
            float[] bias = v.extras().get(BIAS + block);
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("steering_vector", new TorchWriter.Tensor(new long[] {v.width()}, v.at(block)));
            entry.put(
                    "steering_coefficient",
                    switch (op) {
                        case "add" -> coefficient != null ? coefficient : VectorExport.alpha(v, block);
                        case "set" ->
                            bias != null ? VectorExport.alpha(v, block) : value(bounds, key, "value", "value");
                        case "clamp" -> value(bounds, key, "min", "max");
                        default ->
                            throw new TillerException("op " + op + " of block " + block
                                    + " cannot be said in a steer file; accepted: add, set, and clamp to one value");
                    });
            entry.put("action", op.equals("add") ? "add" : "clamp");
            entry.put("bias", bias == null ? null : new TorchWriter.Tensor(new long[] {v.width()}, bias));
            root.put(module(v, hook, block), entry);
            adds += op.equals("add") ? 1 : 0;
        }
        TorchWriter.write(out, root);
        List<String> notes = new ArrayList<>();
        if (adds > 1) {
            notes.add(
                    "some versions of lm-eval add the vector of the last module at all of them; check yours, or export one"
                            + " block (vector arith 'blocks(v, B)')");
        }
        notes.add("the harness steers all positions of a text");
        return notes;
    }

    /** The one value that a block's projection is held at. */
    private static double value(JsonObject bounds, String block, String low, String high) {
        if (!bounds.has(block) || !bounds.get(block).isJsonObject()) {
            throw new TillerException(
                    "the file does not say at which value block " + block + " is held (metadata: bounds)");
        }
        JsonObject bound = bounds.getAsJsonObject(block);
        String where = "metadata: bounds." + block;
        if (!bound.has(low) || !bound.has(high)) {
            throw new TillerException(
                    where + ": a steer file holds a projection at one value; this clamp is one-sided");
        }
        double value = Json.number(bound, low, where);
        if (value != Json.number(bound, high, where)) {
            throw new TillerException(
                    where + ": a steer file holds a projection at one value; this clamp has two ends");
        }
        return value;
    }

    /** The module's name below the base model, by family. */
    private static String module(VectorContent v, String hook, int block) {
        String part = switch (v.site()) {
            case RESID_POST -> "";
            case MLP_OUT -> ".mlp";
            case ATTN_OUT -> ".self_attn";
            default ->
                throw new TillerException("steer files act on outputs of modules; site "
                        + v.site().key() + " is none");
        };
        if (hook != null) {
            if (!hook.contains("{b}")) {
                throw new TillerException("--hook " + hook + ": expected {b} where the number of the block goes");
            }
            return hook.replace("{b}", Integer.toString(block));
        }
        String type = Json.stringOr(VectorExport.object(v, "model"), "type", "", "metadata: model");
        boolean gpt2 = type.equals("gpt2");
        if (v.site() == Site.ATTN_OUT && (gpt2 || type.equals("gpt_neox"))) {
            part = gpt2 ? ".attn" : ".attention";
        }
        return (gpt2 ? "h." : "layers.") + block + part;
    }
}
