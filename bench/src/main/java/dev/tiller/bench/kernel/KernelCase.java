package dev.tiller.bench.kernel;

import dev.tiller.bench.ResidualSiteBenchmark;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;
import dev.tiller.kernels.WeightFormat;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * One benchmark with its parameters.
 *
 * @param name operation and format, for people
 * @param shape sizes, for people
 * @param benchmark class and method, as JMH names them
 * @param params of the benchmark
 * @param work of one call
 */
record KernelCase(String name, String shape, String benchmark, Map<String, String> params, Work work) {
    /** Positions of the attention cases. */
    private static final List<String> CONTEXTS = List.of("512", "2048");

    private static final List<String> KV_FORMATS = List.of("F32", "BF16");

    /** Rows of the matmul cases. */
    private static final List<String> ROWS = List.of("1", "8", "512");

    /** All cases, or a choice that takes two minutes. */
    static List<KernelCase> all(boolean quick) {
        List<KernelCase> cases = new ArrayList<>();
        for (Shape shape : Shape.values()) {
            if (quick && shape != Shape.SMOLLM2_135M) {
                continue;
            }
            for (WeightFormat format : WeightFormat.values()) {
                addMatmuls(cases, shape, format, quick);
            }
            addAttention(cases, shape, quick);
            for (String rows : quick ? List.of("1") : ROWS) {
                for (String o : List.of("norm", "prepareAttention", "gatedActivation", "argmax", "embed")) {
                    if (!(o.equals("argmax") && rows.equals("512"))) {
                        Map<String, String> params = params("shape", shape.name(), "rows", rows);
                        cases.add(of(o, RowBenchmark.class, o, params, RowBenchmark.work(o, params)));
                    }
                }
                addSite(cases, shape, rows, "NONE");
                addSite(cases, shape, rows, "ADD");
            }
        }
        return cases;
    }

    private static void addMatmuls(List<KernelCase> cases, Shape shape, WeightFormat format, boolean quick) {
        for (Shape.Weight matrix : Shape.Weight.values()) {
            for (String rows : ROWS) {
                boolean tooMany = matrix == Shape.Weight.HEAD && rows.equals("512"); // no step has logits of so many
                boolean chosen = matrix == Shape.Weight.GATE_UP || matrix == Shape.Weight.HEAD && rows.equals("1");
                if (tooMany || quick && !chosen) {
                    continue;
                }
                Map<String, String> params =
                        params("shape", shape.name(), "matrix", matrix.name(), "weights", format.name());
                params.put("rows", rows);
                String name = "matmul " + format.name().toLowerCase(Locale.ROOT);
                cases.add(of(name, MatmulBenchmark.class, "matmul", params, MatmulBenchmark.work(params)));
            }
        }
    }

    private static void addAttention(List<KernelCase> cases, Shape shape, boolean quick) {
        for (String kv : KV_FORMATS) {
            for (AttentionBenchmark.Phase phase : AttentionBenchmark.Phase.values()) {
                for (String context : CONTEXTS) {
                    if (quick && (phase == AttentionBenchmark.Phase.DECODE_8 || context.equals("2048"))) {
                        continue;
                    }
                    Map<String, String> params = params("shape", shape.name(), "phase", phase.name(), "kv", kv);
                    params.put("context", context);
                    String name = "attention kv " + kv.toLowerCase(Locale.ROOT);
                    cases.add(of(name, AttentionBenchmark.class, "attend", params, AttentionBenchmark.work(params)));
                }
            }
        }
    }

    private static void addSite(List<KernelCase> cases, Shape shape, String rows, String edits) {
        Map<String, String> params = params("width", String.valueOf(shape.width), "rows", rows, "edits", edits);
        params.put("backend", "simd");
        double numbers = Double.parseDouble(rows) * shape.width;
        double steering = edits.equals("ADD") ? 2 * numbers : 0;
        Work work = Work.onSameBuffers(16 * numbers + 4 * shape.width, 5 * numbers + steering);
        cases.add(of("site", ResidualSiteBenchmark.class, "site", params, work));
    }

    private static KernelCase of(
            String name, Class<?> benchmark, String method, Map<String, String> params, Work work) {
        List<String> shape = new ArrayList<>();
        params.forEach((key, value) -> {
            switch (key) {
                case "rows", "context", "width" -> shape.add(key + " " + value);
                case "shape", "matrix", "phase", "edits" -> shape.add(value.toLowerCase(Locale.ROOT));
                default -> {} // the name says it, or it is the same in all cases
            }
        });
        return new KernelCase(name, String.join(", ", shape), benchmark.getName() + "." + method, params, work);
    }

    private static Map<String, String> params(String... pairs) {
        Map<String, String> params = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            params.put(pairs[i], pairs[i + 1]);
        }
        return params;
    }

    /** Why the backend cannot run this case, or null if it can. */
    String obstacle(Backend backend) {
        try {
            if (params.containsKey("weights")) {
                backend.matrix(List.of(Inputs.weight(64, 64)), WeightFormat.valueOf(params.get("weights")));
            }
            if (params.containsKey("kv")) {
                backend.kvPages(1, 1, Shape.HEAD, WeightFormat.valueOf(params.get("kv")))
                        .allocate();
            }
            return null;
        } catch (RuntimeException e) {
            return e.getMessage() == null ? e.toString() : e.getMessage();
        }
    }

    /** The backend that the cases run on. */
    static Backend open(int threads) {
        return Backends.open("simd", threads);
    }
}
