package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** The operations whose units are rows and need no more than a loop over them. */
final class RowTasks {
    /** Elements worth handing to another thread, about a microsecond. */
    private static final int WORTH = 16384;

    private RowTasks() {}

    static int portion(int elements) {
        return Math.max(1, WORTH / Math.max(1, elements));
    }

    /** Rows of a matrix. */
    static final class Embed implements WorkerPool.Task {
        PanelMatrix table;
        int[] ids;
        float scale;
        float[] out;

        @Override
        public void run(int from, int to, int worker) {
            for (int t = from; t < to; t++) {
                table.unpack(ids[t], scale, out, t * table.columns());
            }
        }
    }

    /** Rotation of heads by position. */
    static final class Rope implements WorkerPool.Task {
        float[] x;
        int columns;
        Rows rows;
        int column;
        int heads;
        int headDim;
        RopeTable table;

        @Override
        public void run(int from, int to, int worker) {
            for (int t = from; t < to; t++) {
                int angle = rows.angles()[t] * table.half();
                for (int head = 0; head < heads; head++) {
                    int at = t * columns + column + head * headDim;
                    rotate(x, at, table.half(), table.cos(), table.sin(), angle);
                }
            }
        }

        private static void rotate(float[] x, int at, int half, float[] cosines, float[] sines, int angle) {
            int i = 0;
            for (; i <= half - L; i += L) {
                FloatVector a = FloatVector.fromArray(F, x, at + i);
                FloatVector b = FloatVector.fromArray(F, x, at + half + i);
                FloatVector cos = FloatVector.fromArray(F, cosines, angle + i);
                FloatVector sin = FloatVector.fromArray(F, sines, angle + i);
                a.mul(cos).sub(b.mul(sin)).intoArray(x, at + i);
                b.mul(cos).add(a.mul(sin)).intoArray(x, at + half + i);
            }
            if (i < half) {
                VectorMask<Float> m = F.indexInRange(i, half);
                FloatVector a = FloatVector.fromArray(F, x, at + i, m);
                FloatVector b = FloatVector.fromArray(F, x, at + half + i, m);
                FloatVector cos = FloatVector.fromArray(F, cosines, angle + i, m);
                FloatVector sin = FloatVector.fromArray(F, sines, angle + i, m);
                a.mul(cos).sub(b.mul(sin)).intoArray(x, at + i, m);
                b.mul(cos).add(a.mul(sin)).intoArray(x, at + half + i, m);
            }
        }
    }

    /** Storing of keys, transposed within a page as [words, PAGE], and values [PAGE, words]. */
    static final class Append implements WorkerPool.Task {
        float[] x;
        int columns;
        Rows rows;
        int kColumn;
        int vColumn;
        HeapKvPages kv;
        int block;

        @Override
        public void run(int from, int to, int worker) {
            for (int t = from; t < to; t++) {
                int p = rows.position()[t];
                int page = rows.pages()[rows.sequence()[t]][p / KvPages.PAGE];
                kv.checkRange("keys", x, t * columns + kColumn, block, p);
                kv.checkRange("values", x, t * columns + vColumn, block, p);
                for (int g = 0; g < kv.kvHeads(); g++) {
                    store(page, p % KvPages.PAGE, g, t * columns + g * kv.headDim());
                }
            }
        }

        private void store(int number, int slot, int g, int source) {
            int[] page = kv.page(number);
            int words = kv.words();
            int keys = kv.keys(number, block, g) + slot;
            int values = kv.values(number, block, g) + slot * words;
            for (int i = 0; i < words; i++) {
                page[keys + i * KvPages.PAGE] = kv.word(x, source + kColumn, i);
                page[values + i] = kv.word(x, source + vColumn, i);
            }
        }
    }

    /** act(gate) * up. */
    static final class Gated implements WorkerPool.Task {
        float[] x;
        float[] out;
        int f;
        Activation activation;
        /** Gate, up and result of the elements that do not fill a vector, for each thread. */
        private final float[][] rest;

        Gated(int threads) {
            rest = new float[threads][3 * L];
        }

        @Override
        public void run(int from, int to, int worker) {
            int whole = f / L * L;
            float[] r = rest[worker];
            for (int t = from; t < to; t++) {
                int gate = t * 2 * f;
                apply(x, gate, gate + f, out, t * f, whole);
                if (whole < f) {
                    System.arraycopy(x, gate + whole, r, 0, f - whole);
                    System.arraycopy(x, gate + f + whole, r, L, f - whole);
                    apply(r, 0, L, r, 2 * L, L);
                    System.arraycopy(r, 2 * L, out, t * f + whole, f - whole);
                }
            }
        }

        /** The same of n elements, a multiple of L. */
        private void apply(float[] x, int gate, int up, float[] out, int to, int n) {
            switch (activation) {
                case SILU -> silu(x, gate, up, out, to, n);
                case GELU -> gelu(x, gate, up, out, to, n);
                case GELU_TANH -> geluTanh(x, gate, up, out, to, n);
            }
        }

        private static void silu(float[] x, int gate, int up, float[] out, int to, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector g = FloatVector.fromArray(F, x, gate + i);
                VectorMath.silu(g).mul(FloatVector.fromArray(F, x, up + i)).intoArray(out, to + i);
            }
        }

        /** In two loops: all in one would be more than Java's compiler inlines, and vectors would become objects. */
        private static void gelu(float[] x, int gate, int up, float[] out, int to, int n) {
            ElementTasks.Activate.gelu(x, gate, out, to, n);
            multiply(x, up, out, to, n);
        }

        private static void multiply(float[] x, int up, float[] out, int to, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector.fromArray(F, out, to + i)
                        .mul(FloatVector.fromArray(F, x, up + i))
                        .intoArray(out, to + i);
            }
        }

        private static void geluTanh(float[] x, int gate, int up, float[] out, int to, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector g = FloatVector.fromArray(F, x, gate + i);
                VectorMath.geluTanh(g).mul(FloatVector.fromArray(F, x, up + i)).intoArray(out, to + i);
            }
        }
    }
}
