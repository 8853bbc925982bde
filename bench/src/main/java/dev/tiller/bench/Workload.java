package dev.tiller.bench;

import dev.tiller.engine.Edit;
import dev.tiller.engine.ModelSpec;
import dev.tiller.engine.Probe;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * What is done to the residual stream while decoding is measured. Directions are random unit vectors, added with a
 * coefficient that leaves the text alone.
 *
 * @param name of the row
 * @param plans of the sequences, in turn: sequence s has plan s modulo their number
 * @param probes watched at every row; their projections are read after each step
 * @param capture blocks whose output rows are copied, and read after each step
 */
record Workload(String name, List<SteeringPlan> plans, List<Probe> probes, List<Integer> capture) {
    static final float COEFFICIENT = 1e-3f;

    /** The row that the others are compared with. */
    static final Workload UNSTEERED = new Workload("decode", List.of(SteeringPlan.NONE), List.of());

    Workload(String name, List<SteeringPlan> plans, List<Probe> probes) {
        this(name, plans, probes, List.of());
    }

    SteeringPlan plan(int sequence) {
        return plans.get(sequence % plans.size());
    }

    /** One direction added at the output of every block. */
    static SteeringPlan everyBlock(ModelSpec spec) {
        return SteeringPlan.of(add(spec, 11, allBlocks(spec)));
    }

    /**
     * Unsteered, one block, every block, three directions at every block, a plan of its own for each sequence, probes.
     *
     * @param distinct number of different plans
     */
    static List<Workload> all(ModelSpec spec, int distinct) {
        int[] every = allBlocks(spec);
        int middle = spec.blocks() / 2;
        SteeringPlan three = SteeringPlan.of(add(spec, 11, every), add(spec, 12, every), add(spec, 13, every));
        List<SteeringPlan> own = new ArrayList<>();
        for (int i = 0; i < distinct; i++) {
            own.add(SteeringPlan.of(add(spec, 100 + i, every)));
        }
        return List.of(
                UNSTEERED,
                steered("decode_one_block", SteeringPlan.of(add(spec, 11, middle))),
                steered("decode_all_blocks", everyBlock(spec)),
                steered("decode_3_vectors", three),
                new Workload("decode_own_plans", own, List.of()),
                new Workload("decode_8_probes", UNSTEERED.plans, probes(spec, 8)));
    }

    /** That many directions watched at the output of the middle block. */
    static List<Probe> probes(ModelSpec spec, int count) {
        List<Probe> probes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            probes.add(new Probe(spec.blocks() / 2, direction(spec, 1000 + i)));
        }
        return probes;
    }

    private static Workload steered(String name, SteeringPlan plan) {
        return new Workload(name, List.of(plan), List.of());
    }

    static int[] allBlocks(ModelSpec spec) {
        return IntStream.range(0, spec.blocks()).toArray();
    }

    static Edit add(ModelSpec spec, int seed, int... blocks) {
        return Edit.add(vector(spec, seed), COEFFICIENT, blocks);
    }

    /** The same random direction of length 1 at every block. */
    static SteeringVector vector(ModelSpec spec, int seed) {
        return SteeringVector.uniform("bench " + seed, direction(spec, seed));
    }

    /** [d], of length 1. */
    private static float[] direction(ModelSpec spec, int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] direction = new float[spec.width()];
        double squares = 0;
        for (int i = 0; i < direction.length; i++) {
            direction[i] = (float) random.nextGaussian();
            squares += direction[i] * direction[i];
        }
        for (int i = 0; i < direction.length; i++) {
            direction[i] /= (float) Math.sqrt(squares);
        }
        return direction;
    }
}
