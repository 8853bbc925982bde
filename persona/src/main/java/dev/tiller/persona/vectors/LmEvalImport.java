package dev.tiller.persona.vectors;

import com.google.gson.JsonObject;
import dev.tiller.engine.Site;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorContent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Steer files of lm-evaluation-harness ("steered" models): by module name a vector, a coefficient, an action and a bias.
 * add: h += c v. clamp: with g = h - bias the component of g along u becomes c, which is our set with the value
 * c + bias.u.
 */
final class LmEvalImport {
    private static final Pattern MODULE = Pattern.compile("(?:.*\\.)?(\\d{1,6})(?:\\.(mlp|self_attn|attn|attention))?");

    private LmEvalImport() {}

    /** A dict or list whose entries all have a steering vector. */
    static boolean looksLike(Object root) {
        List<?> entries =
                root instanceof Map<?, ?> m ? List.copyOf(m.values()) : root instanceof List<?> l ? l : List.of();
        return !entries.isEmpty()
                && entries.stream().allMatch(e -> e instanceof Map<?, ?> m && m.containsKey("steering_vector"));
    }

    static Draft read(Object root) {
        if (!looksLike(root)) {
            throw new TillerException(
                    "expected a dict or list of entries with \"steering_vector\", found something else");
        }
        Draft draft = new Draft(Tool.LM_EVAL);
        Map<String, Map<?, ?>> byModule = new LinkedHashMap<>();
        if (root instanceof Map<?, ?> map) {
            map.forEach((name, entry) -> byModule.put(String.valueOf(name), (Map<?, ?>) entry));
        } else {
            for (Object o : (List<?>) root) {
                Map<?, ?> entry = (Map<?, ?>) o;
                if (!(entry.get("hookpoint") instanceof String name) || byModule.put(name, entry) != null) {
                    throw new TillerException("expected entries with a hookpoint of their own each");
                }
            }
        }
        JsonObject ops = new JsonObject();
        JsonObject coefficients = new JsonObject();
        JsonObject bounds = new JsonObject();
        byModule.forEach((name, entry) -> entry(draft, name, entry, ops, coefficients, bounds));
        TreeSet<String> different = new TreeSet<>();
        ops.asMap().values().forEach(op -> different.add(op.getAsString()));
        draft.op = different.size() == 1 ? different.first() : VectorContent.MIXED;
        if (different.size() > 1) {
            draft.put("ops", ops);
            draft.notes.add(
                    "its blocks have different operations; \"vector arith 'blocks(v, 1)' --op add\" takes some out");
        }
        if (!bounds.isEmpty()) {
            draft.put("bounds", bounds);
        }
        JsonObject alpha = new JsonObject();
        alpha.add("per_block", coefficients);
        draft.put("alpha", alpha);
        draft.notes.add("coefficients are not multiplied into the vectors; they are in \"alpha\"");
        return draft;
    }

    private static void entry(
            Draft draft, String name, Map<?, ?> entry, JsonObject ops, JsonObject coefficients, JsonObject bounds) {
        String what = "module " + Messages.quote(name);
        Matcher m = MODULE.matcher(name);
        if (!m.matches()) {
            throw new TillerException(what + ": expected a block such as layers.3, or its mlp or attention");
        }
        Site site = m.group(2) == null ? Site.RESID_POST : m.group(2).equals("mlp") ? Site.MLP_OUT : Site.ATTN_OUT;
        if (!draft.directions.isEmpty() && draft.site != site) {
            throw new TillerException(what + ": expected the same site for all modules, found " + draft.site.key()
                    + " and " + site.key());
        }
        if (entry.get("head_index") != null) {
            throw new TillerException(what + ": steering of single heads is not supported");
        }
        draft.site = site;
        int block = Integer.parseInt(m.group(1));
        float[] v = TorchImport.row(draft, entry.get("steering_vector"), what);
        draft.block(block, v);
        if (!(entry.get("steering_coefficient") instanceof Number c)) {
            throw new TillerException(what + ": expected a number as steering_coefficient, found none");
        }
        float[] bias = entry.get("bias") == null ? null : TorchImport.row(draft, entry.get("bias"), what + ", bias");
        String key = Integer.toString(block);
        String action = String.valueOf(entry.get("action"));
        coefficients.addProperty(key, c.doubleValue());
        if (action.equals("add")) {
            ops.addProperty(key, "add");
        } else if (action.equals("clamp")) {
            ops.addProperty(key, "set");
            double shift = bias == null ? 0 : Vectors.dot(bias, v) / Vectors.norm(v);
            JsonObject bound = new JsonObject();
            bound.addProperty("value", c.doubleValue() + shift);
            bounds.add(key, bound);
            if (bias != null) {
                draft.extras.put(LmEvalExport.BIAS + block, bias);
            }
        } else {
            throw new TillerException(
                    what + ": action " + Messages.quote(action) + " is not supported; accepted: add, clamp");
        }
    }
}
