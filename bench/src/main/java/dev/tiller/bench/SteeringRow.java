package dev.tiller.bench;

import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.ModelSpec;
import dev.tiller.engine.SteeringPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One way to decode beside another that differs from it in one thing.
 *
 * @param name of the row
 * @param base what is compared with: the ratio is the speed of {@code other} over the speed of this
 * @param other with what shall be priced
 * @param batch sequences of each
 * @param context tokens before the first decoded one
 * @param stretch tokens of each sequence before the two change places
 * @param turns changes of place in a round
 */
record SteeringRow(String name, Workload base, Workload other, int batch, int context, int stretch, int turns) {
    /** Short enough that both see the same machine. */
    private static final int STRETCH = 4;

    private static final int TURNS = 32;

    /** Plans of the row that shows whether their number matters. */
    static final int PLANS = 256;

    /** One direction's projections are moved into this interval: next to nothing is inside. */
    private static final float NARROW = 1e-6f;

    /** All rows, for a batch of that size (the last one has a batch of its own). */
    static List<SteeringRow> all(ModelSpec spec, int batch) {
        int[] every = Workload.allBlocks(spec);
        List<SteeringRow> rows = new ArrayList<>();
        rows.add(beside("control", batch, List.of()));
        Edit idle = Edit.add(Workload.vector(spec, 11), 0, every);
        rows.add(beside("idle", batch, List.of(idle)));
        rows.add(beside("add_one_block", batch, List.of(Workload.add(spec, 11, spec.blocks() / 2))));
        rows.add(beside("add_all_blocks", batch, List.of(Workload.add(spec, 11, every))));
        List<Edit> three = IntStream.of(11, 12, 13)
                .mapToObj(s -> Workload.add(spec, s, every))
                .toList();
        rows.add(beside("add_3_vectors_all_blocks", batch, three));
        rows.add(beside("ablate_all_blocks", batch, List.of(Edit.ablate(Workload.vector(spec, 11), every))));
        Edit clamp = Edit.clamp(Workload.vector(spec, 11), -NARROW, NARROW, every);
        rows.add(beside("clamp_all_blocks", batch, List.of(clamp)));
        Edit rotate = Edit.rotate(Workload.vector(spec, 11), Workload.vector(spec, 12), 30, every);
        rows.add(beside("rotate_all_blocks", batch, List.of(rotate)));
        Edit kept = Workload.add(spec, 11, every).preservingNorm();
        rows.add(beside("add_norm_kept_all_blocks", batch, List.of(kept)));
        List<SteeringPlan> none = Workload.UNSTEERED.plans();
        rows.add(beside(batch, new Workload("projection_stream", none, Workload.probes(spec, 8))));
        List<Integer> captured = IntStream.of(every).boxed().toList();
        rows.add(beside(batch, new Workload("capture_all_blocks", none, List.of(), captured)));
        rows.add(plans(spec, every));
        return rows;
    }

    private static SteeringRow beside(String name, int batch, List<Edit> edits) {
        return beside(batch, new Workload(name, List.of(new SteeringPlan(edits)), List.of()));
    }

    private static SteeringRow beside(int batch, Workload other) {
        return new SteeringRow(other.name(), Workload.UNSTEERED, other, batch, Rates.CONTEXT, STRETCH, TURNS);
    }

    /** 256 sequences with a plan each, beside as many with the same one; a step takes long, so fewer are run. */
    private static SteeringRow plans(ModelSpec spec, int[] every) {
        List<SteeringPlan> own = IntStream.range(0, PLANS)
                .mapToObj(i -> SteeringPlan.of(Workload.add(spec, 100 + i, every)))
                .toList();
        Workload one = new Workload("plans_1", List.of(Workload.everyBlock(spec)), List.of());
        return new SteeringRow(
                "plans_" + PLANS + "_vs_1", one, new Workload("plans_" + PLANS, own, List.of()), PLANS, 2, 1, STRETCH);
    }

    /** Tokens that a sequence holds at the end of a round. */
    int positions() {
        return context + stretch * turns;
    }

    /**
     * What a round found.
     *
     * @param ratio speed of the other over speed of the base, over the whole round
     * @param pairs the same for each turn
     * @param rate tokens per second of the base
     */
    record Result(double ratio, List<Double> pairs, double rate) {}

    /** Both run the same number of steps; who goes first changes each time. */
    Result round(Model model) {
        List<Double> pairs = new ArrayList<>();
        try (Decoding a = new Decoding(model, base, context, batch);
                Decoding b = new Decoding(model, other, context, batch)) {
            for (int t = 0; t < turns; t++) {
                double beforeA = a.seconds();
                double beforeB = b.seconds();
                (t % 2 == 0 ? a : b).advance(stretch);
                (t % 2 == 0 ? b : a).advance(stretch);
                pairs.add((a.seconds() - beforeA) / (b.seconds() - beforeB));
            }
            return new Result(a.seconds() / b.seconds(), pairs, batch * stretch * turns / a.seconds());
        }
    }
}
