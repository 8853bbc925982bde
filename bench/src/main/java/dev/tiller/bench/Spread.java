package dev.tiller.bench;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Median, smallest and largest of n values. */
public record Spread(double median, double min, double max, int n) {
    public static Spread of(List<Double> values) {
        double[] v = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        double median = (v[(v.length - 1) / 2] + v[v.length / 2]) / 2;
        return new Spread(median, v[0], v[v.length - 1], v.length);
    }

    /** Quotients of values that were measured in the same round, and their spread. */
    static Spread ofRatios(List<Double> numerators, List<Double> denominators) {
        double[] ratios = new double[numerators.size()];
        Arrays.setAll(ratios, i -> numerators.get(i) / denominators.get(i));
        return of(Arrays.stream(ratios).boxed().toList());
    }

    public String show(String number) {
        return String.format(Locale.ROOT, number + " [" + number + ".." + number + "]", median, min, max);
    }
}
