package dev.tiller.bench;

import com.google.gson.JsonObject;
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

    /** The same in units of that size. */
    public Spread in(double unit) {
        return new Spread(median / unit, min / unit, max / unit, n);
    }

    /** With four decimals: more than a machine can repeat. */
    public Spread rounded() {
        return new Spread(rounded(median), rounded(min), rounded(max), n);
    }

    static double rounded(double value) {
        return Math.round(value * 1e4) / 1e4;
    }

    /** The median with the smallest and the largest value, each as {@code number}, such as "%.1f". */
    public String show(String number) {
        return String.format(Locale.ROOT, number + " [" + number + ".." + number + "]", median, min, max);
    }

    public JsonObject json() {
        JsonObject o = new JsonObject();
        o.addProperty("median", median);
        o.addProperty("min", min);
        o.addProperty("max", max);
        o.addProperty("n", n);
        return o;
    }
}
