package dev.tiller.kernels.cpu;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * What this processor reaches at most, measured with the same threads as the kernels: reading memory, and fused
 * multiply-adds in registers.
 */
public final class Ceilings implements AutoCloseable {
    private static final VectorSpecies<Float> LANES = Lanes.F;
    private static final int UNIT = 1 << 16;

    private final WorkerPool pool;
    private final float[] memory;
    private final float[] sink;

    /** With so many worker threads; {@code bytes} of memory, several times the caches. */
    public Ceilings(int threads, int bytes) {
        pool = new WorkerPool(threads);
        memory = new float[bytes / 4 / UNIT * UNIT];
        Arrays.fill(memory, 1f);
        sink = new float[pool.threads()];
    }

    /** Bytes read a second: the best of some passes. */
    public double bytesPerSecond() {
        double best = 0;
        for (int pass = 0; pass < 6; pass++) {
            long start = System.nanoTime();
            pool.run(this::read, memory.length / UNIT, 1);
            best = Math.max(best, 4.0 * memory.length / (System.nanoTime() - start) * 1e9);
        }
        return best;
    }

    private void read(int from, int to, int worker) {
        FloatVector a = FloatVector.zero(LANES);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        int step = LANES.length();
        for (int i = from * UNIT; i < to * UNIT; i += 4 * step) {
            a = a.add(FloatVector.fromArray(LANES, memory, i));
            b = b.add(FloatVector.fromArray(LANES, memory, i + step));
            c = c.add(FloatVector.fromArray(LANES, memory, i + 2 * step));
            d = d.add(FloatVector.fromArray(LANES, memory, i + 3 * step));
        }
        sink[worker] += a.add(b).add(c.add(d)).lane(0);
    }

    /** Floating-point operations a second, two for a multiply-add: the best of some passes. */
    public double flopsPerSecond() {
        double best = 0;
        int units = 4 * pool.threads();
        for (int pass = 0; pass < 6; pass++) {
            long start = System.nanoTime();
            pool.run(this::multiply, units, 1);
            double flops = 2.0 * units * ROUNDS * 8 * LANES.length();
            best = Math.max(best, flops / (System.nanoTime() - start) * 1e9);
        }
        return best;
    }

    private static final int ROUNDS = 1 << 20;

    private void multiply(int from, int to, int worker) {
        FloatVector m = FloatVector.broadcast(LANES, 0.999f);
        FloatVector a = FloatVector.broadcast(LANES, worker);
        FloatVector b = a.add(1);
        FloatVector c = a.add(2);
        FloatVector d = a.add(3);
        FloatVector e = a.add(4);
        FloatVector f = a.add(5);
        FloatVector g = a.add(6);
        FloatVector h = a.add(7);
        for (int i = from * ROUNDS; i < to * ROUNDS; i++) {
            a = a.fma(m, m);
            b = b.fma(m, m);
            c = c.fma(m, m);
            d = d.fma(m, m);
            e = e.fma(m, m);
            f = f.fma(m, m);
            g = g.fma(m, m);
            h = h.fma(m, m);
        }
        sink[worker] += a.add(b).add(c.add(d)).add(e.add(f).add(g.add(h))).lane(0);
    }

    @Override
    public void close() {
        pool.close();
    }
}
