package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.Activation;
import jdk.incubator.vector.FloatVector;

/** Operations on each element by itself; a unit is a stretch of the whole buffer, whatever rows it belongs to. */
final class ElementTasks {
    /** Elements of a unit, a multiple of every vector. */
    private static final int STRETCH = 2048;

    private ElementTasks() {}

    private abstract static class Elements implements WorkerPool.Task {
        float[] x;
        float[] out;
        int n;
        /** Argument and result of the elements that do not fill a vector; there is one such place. */
        private final float[] rest = new float[2 * L];

        final void run(WorkerPool pool, float[] x, int n, float[] out, int elementsWorthIt) {
            this.x = x;
            this.n = n;
            this.out = out;
            pool.run(this, Math.ceilDiv(n, STRETCH), Math.max(1, elementsWorthIt / STRETCH));
        }

        @Override
        public final void run(int from, int to, int worker) {
            int end = Math.min(n, to * STRETCH);
            int first = from * STRETCH;
            int whole = (end - first) / L * L;
            apply(x, first, out, first, whole);
            if (first + whole < end) {
                int more = end - first - whole;
                System.arraycopy(x, first + whole, rest, 0, more);
                apply(rest, 0, rest, L, L);
                System.arraycopy(rest, L, out, first + whole, more);
            }
        }

        /** out[to ..] = f(x[at ..]) of n elements, a multiple of L. */
        abstract void apply(float[] x, int at, float[] out, int to, int n);
    }

    /** act(x). */
    static final class Activate extends Elements {
        Activation activation;

        @Override
        void apply(float[] x, int at, float[] out, int to, int n) {
            switch (activation) {
                case SILU -> silu(x, at, out, to, n);
                case GELU -> gelu(x, at, out, to, n);
                case GELU_TANH -> geluTanh(x, at, out, to, n);
            }
        }

        private static void silu(float[] x, int at, float[] out, int to, int n) {
            for (int i = 0; i < n; i += L) {
                VectorMath.silu(FloatVector.fromArray(F, x, at + i)).intoArray(out, to + i);
            }
        }

        static void gelu(float[] x, int at, float[] out, int to, int n) {
            for (int i = 0; i < n; i += L) {
                VectorMath.gelu(FloatVector.fromArray(F, x, at + i)).intoArray(out, to + i);
            }
        }

        private static void geluTanh(float[] x, int at, float[] out, int to, int n) {
            for (int i = 0; i < n; i += L) {
                VectorMath.geluTanh(FloatVector.fromArray(F, x, at + i)).intoArray(out, to + i);
            }
        }
    }

    /** scale * x, then cap * tanh(x / cap) if cap is above 0. */
    static final class ScaleAndCap extends Elements {
        float scale;
        float cap;

        @Override
        void apply(float[] x, int at, float[] out, int to, int n) {
            if (cap > 0) {
                cap(x, at, scale, cap, out, to, n);
            } else {
                scale(x, at, scale, out, to, n);
            }
        }

        private static void cap(float[] x, int at, float scale, float cap, float[] out, int to, int n) {
            FloatVector s = FloatVector.broadcast(F, scale);
            FloatVector c = FloatVector.broadcast(F, cap);
            for (int i = 0; i < n; i += L) {
                FloatVector v = FloatVector.fromArray(F, x, at + i).mul(s);
                VectorMath.tanh(v.div(c)).mul(c).intoArray(out, to + i);
            }
        }

        private static void scale(float[] x, int at, float scale, float[] out, int to, int n) {
            FloatVector s = FloatVector.broadcast(F, scale);
            for (int i = 0; i < n; i += L) {
                FloatVector.fromArray(F, x, at + i).mul(s).intoArray(out, to + i);
            }
        }
    }
}
