package dev.tiller.engine;

import dev.tiller.loader.TillerException;

/** Small vector arithmetic outside the hot path, in double. */
public final class Vectors {
    private Vectors() {}

    /** Dot product. */
    public static double dot(float[] a, float[] b) {
        double s = 0;
        for (int i = 0; i < a.length; i++) {
            s += (double) a[i] * b[i];
        }
        return s;
    }

    /** Euclidean length. */
    public static double norm(float[] a) {
        return Math.sqrt(dot(a, a));
    }

    /** v / |v|; a vector without direction is refused. */
    public static float[] unit(float[] v, String name) {
        double n = norm(v);
        if (!(n > 0) || Double.isInfinite(n)) {
            throw new TillerException("vector \"" + name + "\": norm is " + n + ", a direction is needed");
        }
        float[] out = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            out[i] = (float) (v[i] / n);
        }
        return out;
    }

    /** Cosine of the angle between two vectors. */
    public static double cosine(float[] a, float[] b) {
        return dot(a, b) / (norm(a) * norm(b));
    }
}
