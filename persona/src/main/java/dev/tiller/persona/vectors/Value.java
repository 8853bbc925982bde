package dev.tiller.persona.vectors;

import dev.tiller.loader.TillerException;
import java.util.Map;
import java.util.TreeMap;

/**
 * Directions in double, while they are computed with. Never changed once made.
 *
 * @param blocks block -> [k][d]
 * @param extras further rows [1][d] by name
 */
record Value(TreeMap<Integer, double[][]> blocks, Map<String, double[][]> extras) {
    static double[][] of(float[]... rows) {
        double[][] out = new double[rows.length][];
        for (int k = 0; k < rows.length; k++) {
            out[k] = new double[rows[k].length];
            for (int i = 0; i < out[k].length; i++) {
                out[k][i] = rows[k][i];
            }
        }
        return out;
    }

    static float[][] rounded(double[][] rows, String what) {
        float[][] out = new float[rows.length][];
        for (int k = 0; k < rows.length; k++) {
            out[k] = new float[rows[k].length];
            for (int i = 0; i < out[k].length; i++) {
                out[k][i] = (float) rows[k][i];
                if (!Float.isFinite(out[k][i])) {
                    throw new TillerException("arith: " + what + ": value " + i + " of the result is " + out[k][i]);
                }
            }
        }
        return out;
    }

    static double dot(double[] a, double[] b) {
        double s = 0;
        for (int i = 0; i < a.length; i++) {
            s += a[i] * b[i];
        }
        return s;
    }

    static double norm(double[] a) {
        return Math.sqrt(dot(a, a));
    }

    /** a + s b. */
    static double[] plus(double[] a, double s, double[] b) {
        double[] out = new double[a.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = a[i] + s * b[i];
        }
        return out;
    }

    static double[] times(double s, double[] a) {
        double[] out = new double[a.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = s * a[i];
        }
        return out;
    }
}
