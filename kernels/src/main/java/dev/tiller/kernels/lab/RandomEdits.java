package dev.tiller.kernels.lab;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.EditTable.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * A table of edits of all kinds for checks: some rows carry none, some a few, some more than the tables of a GPU hold in
 * one place. Edits stand alone, between a gate and its end, or between the norm that is kept and restored; a gate that
 * decides is always written in the same list. Small rows are spared what is ill conditioned in them.
 */
public final class RandomEdits {
    /** G, columns of the gates. */
    public static final int GATES = 2;

    private final RandomGenerator random;
    private final int d;
    private final List<float[]> vectors = new ArrayList<>();
    private final List<Kind> kinds = new ArrayList<>();
    private final List<Integer> direction = new ArrayList<>();
    private final List<Integer> second = new ArrayList<>();
    private final List<Float> low = new ArrayList<>();
    private final List<Float> high = new ArrayList<>();
    private final int[] rowStart;
    private final List<Integer> edit = new ArrayList<>();
    private final List<Float> coefficient = new ArrayList<>();

    /** Edits for so many rows of width d. */
    public RandomEdits(RandomGenerator random, int rows, int d) {
        this.random = random;
        this.d = d;
        int edits = pick(1, 2, 5);
        for (int i = 0; i < edits; i++) {
            acting();
        }
        int probed = vector(true);
        int first = kinds.size();
        for (int g = 0; g < GATES; g++) {
            add(Kind.PROBE, probed, g, 0, 0);
            float bound = (float) random.nextGaussian();
            add(Kind.WHEN, 0, g, random.nextBoolean() ? Float.NEGATIVE_INFINITY : bound - 1, bound);
        }
        add(Kind.ALWAYS, 0, 0, 0, 0);
        add(Kind.KEEP_NORM, 0, 0, 0, 0);
        add(Kind.RESTORE_NORM, 0, 0, 0, 0);
        rowStart = new int[rows + 1];
        for (int t = 0; t < rows; t++) {
            for (int n = pick(0, 0, 1, 2, 5); n > 0; n--) {
                group(edits, first);
            }
            rowStart[t + 1] = edit.size();
        }
    }

    private int pick(int... of) {
        return of[random.nextInt(of.length)];
    }

    private void add(Kind kind, int direction, int second, float low, float high) {
        kinds.add(kind);
        this.direction.add(direction);
        this.second.add(second);
        this.low.add(low);
        this.high.add(high);
    }

    /** An edit that changes rows. */
    private void acting() {
        switch (d < 3 ? random.nextInt(3) : random.nextInt(4)) {
            case 0 -> add(Kind.ADD, vector(false), 0, 0, 0);
            case 1 -> add(Kind.ABLATE, vector(true), 0, 0, 0);
            case 2 -> {
                float low = random.nextFloat() - 0.5f;
                float high = random.nextInt(4) == 0 ? Float.POSITIVE_INFINITY : low + random.nextFloat();
                add(Kind.CLAMP, vector(true), 0, low, high);
            }
            default -> {
                double angle = 7 * random.nextDouble();
                int b1 = vector(true);
                int b2 = orthogonal(b1);
                add(Kind.ROTATE, b1, b2, (float) Math.cos(angle), (float) Math.sin(angle));
            }
        }
    }

    private int vector(boolean unit) {
        float[] v = new float[d];
        for (int i = 0; i < d; i++) {
            v[i] = (float) random.nextGaussian();
        }
        if (unit) {
            normalise(v, 0, d);
        }
        vectors.add(v);
        return vectors.size() - 1;
    }

    private int orthogonal(int to) {
        int at = vector(true);
        float[] v = vectors.get(at);
        float[] u = vectors.get(to);
        double p = 0;
        for (int i = 0; i < d; i++) {
            p += (double) u[i] * v[i];
        }
        for (int i = 0; i < d; i++) {
            v[i] -= (float) (p * u[i]);
        }
        normalise(v, 0, d);
        return at;
    }

    /** Makes v[at .. at + d - 1] a unit vector. */
    public static void normalise(float[] v, int at, int d) {
        double square = 0;
        for (int i = at; i < at + d; i++) {
            square += (double) v[i] * v[i];
        }
        for (int i = at; i < at + d; i++) {
            v[i] /= (float) Math.sqrt(square);
        }
    }

    private void group(int edits, int gates) {
        int gate = random.nextInt(4) == 0 ? random.nextInt(GATES) : -1;
        boolean normed = d >= 16 && random.nextInt(4) == 0;
        int end = gates + 2 * GATES;
        if (gate >= 0) {
            entry(gates + 2 * gate, 1);
            entry(gates + 2 * gate + 1, 1);
        }
        if (normed) {
            entry(end + 1, 1);
        }
        for (int n = pick(1, 2); n > 0; n--) {
            int e = random.nextInt(edits);
            float size = random.nextFloat() + 0.01f;
            entry(
                    e,
                    switch (kinds.get(e)) {
                        case ADD -> size * pick(-2, 2);
                        case ROTATE -> pick(1, 2, 3) / 3f;
                        default -> size;
                    });
        }
        if (normed) {
            entry(end + 2, 1);
        }
        if (gate >= 0 && random.nextBoolean()) {
            entry(end, 1);
        }
    }

    private void entry(int e, float c) {
        edit.add(e);
        coefficient.add(c);
    }

    /** Directions D of the table. */
    public int count() {
        return vectors.size();
    }

    /** [D, d] the numbers of the directions. */
    public float[] directions() {
        float[] all = new float[vectors.size() * d];
        for (int i = 0; i < vectors.size(); i++) {
            System.arraycopy(vectors.get(i), 0, all, i * d, d);
        }
        return all;
    }

    /**
     * The table.
     *
     * @param directions [D, d] with the numbers of {@link #directions()}
     * @param gates [T, G] of any content
     */
    public EditTable table(Buffer directions, Buffer gates) {
        return new EditTable(
                kinds.toArray(Kind[]::new),
                directions,
                ints(direction),
                ints(second),
                floats(low),
                floats(high),
                rowStart,
                ints(edit),
                floats(coefficient),
                gates);
    }

    private static int[] ints(List<Integer> list) {
        return list.stream().mapToInt(Integer::intValue).toArray();
    }

    private static float[] floats(List<Float> list) {
        float[] out = new float[list.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = list.get(i);
        }
        return out;
    }
}
