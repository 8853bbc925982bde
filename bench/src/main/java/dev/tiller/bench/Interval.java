package dev.tiller.bench;

import java.util.Arrays;
import java.util.SplittableRandom;

/** A median with the interval that holds it in 95 of 100 draws of as many values from the same ones (bootstrap). */
record Interval(double median, double low, double high, int n) {
    private static final int DRAWS = 2000;

    static Interval of(double[] values, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        double[] medians = new double[DRAWS];
        double[] drawn = new double[values.length];
        for (int d = 0; d < DRAWS; d++) {
            for (int i = 0; i < drawn.length; i++) {
                drawn[i] = values[random.nextInt(values.length)];
            }
            medians[d] = median(drawn);
        }
        Arrays.sort(medians);
        int tail = DRAWS / 40;
        return new Interval(median(values.clone()), medians[tail], medians[DRAWS - 1 - tail], values.length);
    }

    /** Sorts the values. */
    private static double median(double[] v) {
        Arrays.sort(v);
        return (v[(v.length - 1) / 2] + v[v.length / 2]) / 2;
    }
}
