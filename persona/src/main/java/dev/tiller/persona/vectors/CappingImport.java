package dev.tiller.persona.vectors;

import com.google.gson.JsonObject;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Capping files of assistant-axis: named vectors with their layer (block), and experiments that say which projections are
 * held at or below which cap: h -= max(0, h.u - cap) u, our clamp with a maximum and no minimum.
 */
final class CappingImport {
    private CappingImport() {}

    static void read(Draft draft, Map<?, ?> root, String wanted) {
        Map<?, ?> vectors = map(root.get("vectors"), "vectors");
        Map<?, ?> experiment = experiment(root.get("experiments"), wanted);
        JsonObject bounds = new JsonObject();
        JsonObject names = new JsonObject();
        for (Object o : list(experiment.get("interventions"), "interventions")) {
            Map<?, ?> intervention = map(o, "intervention");
            String name = String.valueOf(intervention.get("vector"));
            Map<?, ?> entry = map(vectors.get(name), "vector " + Messages.quote(name));
            if (!(entry.get("layer") instanceof Long layer) || !(intervention.get("cap") instanceof Number cap)) {
                throw new TillerException(
                        "vector " + Messages.quote(name) + ": expected a layer and a cap, found none or another type");
            }
            int block = Math.toIntExact(Math.clamp(layer, -2, 1_000_000));
            draft.layer(block, TorchImport.row(draft, entry.get("vector"), "vector " + Messages.quote(name)));
            JsonObject bound = new JsonObject();
            bound.addProperty("max", cap.doubleValue());
            bounds.add(Integer.toString(block), bound);
            names.addProperty(Integer.toString(block), name);
        }
        draft.op = "clamp";
        draft.put("bounds", bounds);
        draft.source.add("vectors", names);
        draft.source.addProperty("experiment", String.valueOf(experiment.get("id")));
        draft.notes.add(
                "caps are maxima of the projection on the unit vector; they are in \"bounds\", for \"max\" of a clamp");
    }

    private static Map<?, ?> experiment(Object experiments, String wanted) {
        Map<String, Map<?, ?>> byId = new LinkedHashMap<>();
        for (Object o : list(experiments, "experiments")) {
            Map<?, ?> experiment = map(o, "experiment");
            byId.put(String.valueOf(experiment.get("id")), experiment);
        }
        if (wanted == null && byId.size() == 1) {
            return byId.values().iterator().next();
        }
        Map<?, ?> found = wanted == null ? null : byId.get(wanted);
        if (found == null) {
            List<String> some = new ArrayList<>(byId.keySet());
            String ids = String.join(", ", some.subList(0, Math.min(20, some.size())));
            throw new TillerException(
                    wanted == null
                            ? "it holds " + byId.size() + " experiments; say --experiment ID, one of " + ids
                            : "--experiment " + wanted + ": there is none of that name, only " + ids);
        }
        return found;
    }

    private static Map<?, ?> map(Object value, String what) {
        if (value instanceof Map<?, ?> map) {
            return map;
        }
        throw new TillerException(what + ": expected a dict, found none");
    }

    private static List<?> list(Object value, String what) {
        if (value instanceof List<?> list) {
            return list;
        }
        throw new TillerException(what + ": expected a list, found none");
    }
}
