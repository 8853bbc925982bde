package dev.tiller.bench;

import dev.tiller.engine.Model;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Tokens per second of one model on the shapes that the GPU check asks for. */
final class GpuRates {
    /** Steps counted before the next workload has its turn: short, so that all see the same machine. */
    private static final int STRETCH = 8;

    /** Steps at the beginning of a turn that are not counted: plans change, so tables are built anew. */
    static final int SETTLE = 2;

    /**
     * @param batches sequences side by side
     * @param prefills lengths of prompts
     * @param context tokens before the first decoded one
     * @param decode tokens decoded per sequence and counted
     */
    record Shapes(List<Integer> batches, List<Integer> prefills, int context, int decode) {
        int largestBatch() {
            return batches.stream().mapToInt(Integer::intValue).max().orElse(1);
        }

        /** Tokens decoded per sequence, with those that are not counted. */
        int decoded() {
            return decode + SETTLE * Math.ceilDiv(decode, STRETCH);
        }
    }

    private final Model model;
    private final Map<String, Model> others;
    private final Shapes shapes;
    private final List<Workload> workloads;
    private final String weights;

    /** @param others the same model loaded with other settings, by their names: measured unsteered */
    GpuRates(Model model, Map<String, Model> others, Shapes shapes) {
        this.model = model;
        this.others = others;
        this.shapes = shapes;
        this.workloads = Workload.all(model.spec(), shapes.largestBatch());
        this.weights = model.weightFormats();
        int longest = shapes.prefills.stream().mapToInt(Integer::intValue).max().orElse(1);
        Rates.checkContext(model, longest, "--prefill", shapes.context, shapes.decoded());
    }

    /** Measures every row once. */
    List<Sample> round() {
        List<Sample> samples = new ArrayList<>();
        for (int prompt : shapes.prefills) {
            double seconds = Prefill.seconds(model, prompt, model.backend().rowsPerStep());
            samples.add(new Sample("prefill_" + prompt, weights, 1, prompt / seconds));
        }
        for (int batch : shapes.batches) {
            samples.addAll(decode(batch));
        }
        return samples;
    }

    private List<Sample> decode(int batch) {
        List<String> names = new ArrayList<>();
        List<Decoding> turns = new ArrayList<>();
        try {
            for (Workload w : workloads) {
                names.add(w.name());
                turns.add(new Decoding(model, w, shapes.context, batch));
            }
            others.forEach((name, other) -> {
                names.add("decode " + name);
                turns.add(new Decoding(other, Workload.UNSTEERED, shapes.context, batch));
            });
            takeTurns(turns);
            List<Sample> samples = new ArrayList<>();
            for (int i = 0; i < turns.size(); i++) {
                double rate = (double) batch * shapes.decode / turns.get(i).seconds();
                samples.add(new Sample(names.get(i), weights, batch, rate));
            }
            return samples;
        } finally {
            turns.forEach(Decoding::close);
        }
    }

    /** All run the same number of steps; who goes first moves on by one each time. */
    private void takeTurns(List<Decoding> turns) {
        int first = 0;
        for (int done = 0; done < shapes.decode; done += STRETCH) {
            for (int i = 0; i < turns.size(); i++) {
                Decoding turn = turns.get((first + i) % turns.size());
                turn.skip(SETTLE);
                turn.advance(Math.min(STRETCH, shapes.decode - done));
            }
            first++;
        }
    }
}
