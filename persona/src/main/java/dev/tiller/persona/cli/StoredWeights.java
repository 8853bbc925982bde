package dev.tiller.persona.cli;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.WeightNames;
import dev.tiller.loader.WeightRole;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Types in which a model's weights are stored, their share of the bytes, and what the CPU backends keep them in. */
final class StoredWeights {
    /** Weights that are stacked in one matrix, which has one format. */
    private static final List<List<WeightRole>> STACKED = List.of(
            List.of(WeightRole.Q, WeightRole.K, WeightRole.V),
            List.of(WeightRole.GATE, WeightRole.UP),
            List.of(WeightRole.EXPERT_GATE, WeightRole.EXPERT_UP));

    private record Kind(DType stored, WeightFormat kept) {}

    private StoredWeights() {}

    /** One line for each type and format, most bytes first, as in "Q4_K 61.2% of 98.0 MB, kept as q4 (scales rounded)". */
    static List<String> lines(Checkpoint model) {
        Map<String, WeightFormat> joined = joined(model);
        Map<Kind, Long> bytes = new LinkedHashMap<>();
        long all = 0;
        for (String name : model.tensorNames()) {
            TensorView view = model.tensor(name);
            WeightFormat own = view.shape().length == 2 ? WeightFormat.natural(view.dtype()) : WeightFormat.F32;
            bytes.merge(
                    new Kind(view.dtype(), joined.getOrDefault(name, own)),
                    view.data().byteSize(),
                    Long::sum);
            all += view.data().byteSize();
        }
        long total = Math.max(1, all);
        List<Kind> kinds = new ArrayList<>(bytes.keySet());
        kinds.sort(Comparator.comparing(bytes::get, Comparator.reverseOrder()));
        return kinds.stream().map(kind -> line(kind, bytes.get(kind), total)).toList();
    }

    private static String line(Kind kind, long bytes, long total) {
        String kept = kind.kept.name().toLowerCase(Locale.ROOT);
        String how = switch (kind.kept.loss(kind.stored)) {
            case NONE -> kind.stored.name().equals(kind.kept.name()) ? "" : ", no loss";
            case SCALES -> ", codes as stored, scales rounded";
            case NUMBERS -> ", rounded";
        };
        return String.format(
                Locale.ROOT,
                "%-6s %5.1f%% of %.1f MB, kept as %s%s",
                kind.stored,
                100.0 * bytes / total,
                total / 1e6,
                kept,
                how);
    }

    /** The format of each weight whose matrix holds others too. */
    private static Map<String, WeightFormat> joined(Checkpoint model) {
        WeightNames names = WeightNames.of(model.config().modelType());
        boolean mixture = model.config().hasMixture();
        Map<String, WeightFormat> out = new HashMap<>();
        for (int b = 0; b < model.config().blocks(); b++) {
            for (List<WeightRole> roles : STACKED) {
                int experts = roles.getFirst().perExpert() && mixture
                        ? model.config().mlp().mixture().experts()
                        : 1;
                for (int e = 0; e < experts; e++) {
                    join(parts(model, names, roles, b, e), out);
                }
            }
        }
        return out;
    }

    private static List<TensorView> parts(
            Checkpoint model, WeightNames names, List<WeightRole> roles, int block, int expert) {
        List<TensorView> parts = new ArrayList<>();
        for (WeightRole role : roles) {
            if (names.has(role)) {
                model.find(names.name(role, block, expert)).ifPresent(parts::add);
            }
        }
        return parts;
    }

    private static void join(List<TensorView> parts, Map<String, WeightFormat> out) {
        parts.stream()
                .map(part -> WeightFormat.natural(part.dtype()))
                .reduce(WeightFormat::joined)
                .ifPresent(format -> parts.forEach(part -> out.put(part.name(), format)));
    }
}
