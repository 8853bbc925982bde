package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.HeapBuffer.array;

import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.EditTable.Kind;

/** The list of edits of one row; the formulas stand in {@link EditTable}. */
final class RowEdits {
    private RowEdits() {}

    /** Applies the edits of row t to x[t], d numbers wide. */
    static void apply(float[] x, int t, int d, EditTable table) {
        int end = table.rowStart()[t + 1];
        boolean counts = true;
        float kept = 0;
        for (int i = table.rowStart()[t]; i < end; i++) {
            int e = table.edit()[i];
            Kind kind = table.kinds()[e];
            if (kind == Kind.WHEN || kind == Kind.ALWAYS) {
                counts = kind == Kind.ALWAYS || holds(table, e, t);
            } else if (counts) {
                switch (kind) {
                    case KEEP_NORM -> kept = norm(x, t * d, d);
                    case RESTORE_NORM -> restore(x, t * d, d, kept);
                    case PROBE -> array(table.gates())[gate(table, e, t)] = project(x, t, d, table, e);
                    case ROTATE -> rotate(x, t, d, table, e, table.coefficient()[i]);
                    default -> direct(x, t, d, table, e, table.coefficient()[i]);
                }
            }
        }
    }

    /** ADD, ABLATE and CLAMP: a factor times the direction. */
    private static void direct(float[] x, int t, int d, EditTable table, int e, float c) {
        float factor = c;
        Kind kind = table.kinds()[e];
        if (kind != Kind.ADD) {
            float p = project(x, t, d, table, e);
            factor *= kind == Kind.ABLATE ? -p : Math.min(Math.max(p, table.low()[e]), table.high()[e]) - p;
        }
        if (factor != 0) {
            RowKernels.addScaled(x, t * d, factor, array(table.directions()), table.direction()[e] * d, d);
        }
    }

    private static void rotate(float[] x, int t, int d, EditTable table, int e, float c) {
        float[] v = array(table.directions());
        int first = table.direction()[e] * d;
        int second = table.second()[e] * d;
        float p = RowKernels.dot(x, t * d, v, first, d);
        float q = RowKernels.dot(x, t * d, v, second, d);
        double r = Math.sqrt((double) p * p + (double) q * q);
        double toP = (1 - (double) c) * p + c * r * table.low()[e];
        double toQ = (1 - (double) c) * q + c * r * table.high()[e];
        double length = Math.sqrt(toP * toP + toQ * toQ);
        if (length > 0) {
            RowKernels.addScaled(x, t * d, (float) (toP / length * r - p), v, first, d);
            RowKernels.addScaled(x, t * d, (float) (toQ / length * r - q), v, second, d);
        }
    }

    private static void restore(float[] x, int at, int d, float norm) {
        float now = norm(x, at, d);
        if (now > 0 && now != norm) {
            RowKernels.scale(x, at, norm / now, d);
        }
    }

    private static boolean holds(EditTable table, int e, int t) {
        float p = array(table.gates())[gate(table, e, t)];
        return table.low()[e] < p && p < table.high()[e];
    }

    private static int gate(EditTable table, int e, int t) {
        return t * table.gates().columns() + table.second()[e];
    }

    private static float project(float[] x, int t, int d, EditTable table, int e) {
        return RowKernels.dot(x, t * d, array(table.directions()), table.direction()[e] * d, d);
    }

    private static float norm(float[] x, int at, int d) {
        return (float) Math.sqrt(RowKernels.dot(x, at, x, at, d));
    }
}
