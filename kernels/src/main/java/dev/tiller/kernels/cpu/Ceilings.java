package dev.tiller.kernels.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * What this processor reaches at most, measured with the same threads as the kernels: reading memory on the heap and
 * outside of it, and fused multiply-adds in registers. Loops are short methods that are called often: a single long loop
 * would be compiled while it runs (on-stack replacement), which gave a third of the speed. Both agree with the same loops
 * in C.
 */
public final class Ceilings implements AutoCloseable {
    /** Bytes that one call of a read loop sees. */
    private static final int UNIT = 1 << 16;

    private static final int LANES = Lanes.L;

    /** Vectors per step of a read loop. */
    private static final int READS = 4;

    /** Multiply-adds per call of the loop, in each of {@link #CHAINS} chains; enough of them to hide the latency. */
    private static final int ROUNDS = 256;

    private static final int CHAINS = 16;
    private static final int CALLS = 1024;

    /**
     * Shortest stretch of passes whose mean counts. Memory that is shared with other machines can be twice as fast for some
     * milliseconds, which no row of a benchmark could use.
     */
    private static final long WINDOW_NANOS = 40_000_000;

    /** Length of one measurement. */
    private static final long NANOS = 150_000_000;

    /** Longer at first: until the loops are compiled. */
    private static final long FIRST_NANOS = 500_000_000;

    private final WorkerPool pool;
    private final Arena arena = Arena.ofShared();
    private final int[] heap;
    private final MemorySegment offHeap;
    private final int units;
    private final int[] sink;
    private boolean heapWarm;
    private boolean offHeapWarm;
    private boolean flopsWarm;

    /** With so many worker threads; {@code bytes} of memory twice, several times the caches. */
    public Ceilings(int threads, int bytes) {
        pool = new WorkerPool(threads);
        units = bytes / UNIT;
        heap = new int[units * (UNIT / 4)];
        Arrays.fill(heap, 1);
        offHeap = arena.allocate((long) units * UNIT, 1 << 21);
        offHeap.fill((byte) 1);
        sink = new int[pool.threads()];
    }

    /** Bytes read a second, from the heap or from outside, whichever is faster: the best of some stretches. */
    public double bytesPerSecond() {
        return Math.max(heapBytesPerSecond(), offHeapBytesPerSecond());
    }

    /** Bytes read a second from an array: the best of some stretches. */
    public double heapBytesPerSecond() {
        long nanos = heapWarm ? NANOS : FIRST_NANOS;
        heapWarm = true;
        return (double) units * UNIT * passesPerSecond(this::readHeap, units, nanos);
    }

    /** Bytes read a second from memory outside of the heap: the best of some stretches. */
    public double offHeapBytesPerSecond() {
        long nanos = offHeapWarm ? NANOS : FIRST_NANOS;
        offHeapWarm = true;
        return (double) units * UNIT * passesPerSecond(this::readOffHeap, units, nanos);
    }

    /** Floating-point operations a second, two for a multiply-add: the best of some stretches. */
    public double flopsPerSecond() {
        long nanos = flopsWarm ? NANOS : FIRST_NANOS;
        flopsWarm = true;
        int n = CALLS * pool.threads();
        return 2.0 * n * ROUNDS * CHAINS * LANES * passesPerSecond(this::multiply, n, nanos);
    }

    private double passesPerSecond(WorkerPool.Task task, int n, long nanos) {
        double best = 0;
        long begin = System.nanoTime();
        while (System.nanoTime() - begin < nanos) {
            long start = System.nanoTime();
            long spent = 0;
            int passes = 0;
            for (; spent < WINDOW_NANOS; passes++) {
                pool.run(task, n, 1);
                spent = System.nanoTime() - start;
            }
            best = Math.max(best, passes * 1e9 / spent);
        }
        return best;
    }

    private void readHeap(int from, int to, int worker) {
        int x = 0;
        for (int u = from; u < to; u++) {
            x ^= readHeap(heap, u * (UNIT / 8), heap.length / 2);
        }
        sink[worker] ^= x;
    }

    private void readOffHeap(int from, int to, int worker) {
        int x = 0;
        for (int u = from; u < to; u++) {
            x ^= readOffHeap(offHeap, (long) u * (UNIT / 2), offHeap.byteSize() / 2);
        }
        sink[worker] ^= x;
    }

    private void multiply(int from, int to, int worker) {
        float x = 0;
        for (int u = from; u < to; u++) {
            x += multiply(u, ROUNDS);
        }
        sink[worker] ^= Float.floatToRawIntBits(x);
    }

    /** Half a unit at {@code at} and half a unit {@code far} from there: two streams keep more reads under way. */
    private static int readHeap(int[] m, int at, int far) {
        IntVector a = IntVector.zero(Lanes.I);
        IntVector b = a;
        IntVector c = a;
        IntVector d = a;
        for (int i = at; i < at + UNIT / 8; i += READS / 2 * LANES) {
            a = xor(a, IntVector.fromArray(Lanes.I, m, i));
            b = xor(b, IntVector.fromArray(Lanes.I, m, i + LANES));
            c = xor(c, IntVector.fromArray(Lanes.I, m, i + far));
            d = xor(d, IntVector.fromArray(Lanes.I, m, i + far + LANES));
        }
        return xor(xor(a, b), xor(c, d)).lane(0);
    }

    private static int readOffHeap(MemorySegment m, long at, long far) {
        IntVector a = IntVector.zero(Lanes.I);
        IntVector b = a;
        IntVector c = a;
        IntVector d = a;
        int vector = 4 * LANES;
        for (int i = 0; i < UNIT / 2; i += READS / 2 * vector) {
            long o = at + i;
            a = xor(a, IntVector.fromMemorySegment(Lanes.I, m, o, Lanes.LE));
            b = xor(b, IntVector.fromMemorySegment(Lanes.I, m, o + vector, Lanes.LE));
            c = xor(c, IntVector.fromMemorySegment(Lanes.I, m, o + far, Lanes.LE));
            d = xor(d, IntVector.fromMemorySegment(Lanes.I, m, o + far + vector, Lanes.LE));
        }
        return xor(xor(a, b), xor(c, d)).lane(0);
    }

    private static IntVector xor(IntVector a, IntVector b) {
        return a.lanewise(VectorOperators.XOR, b);
    }

    /**
     * Multiply-adds in chains that do not depend on each other. Too long (in bytecode) to be inlined, which matters:
     * inlined into the loop of a worker thread it ran at half the speed.
     */
    private static float multiply(float seed, int rounds) {
        FloatVector m = FloatVector.broadcast(Lanes.F, 0.999f);
        FloatVector a = FloatVector.broadcast(Lanes.F, seed);
        FloatVector b = a.add(1);
        FloatVector c = a.add(2);
        FloatVector d = a.add(3);
        FloatVector e = a.add(4);
        FloatVector f = a.add(5);
        FloatVector g = a.add(6);
        FloatVector h = a.add(7);
        FloatVector i = a.add(8);
        FloatVector j = a.add(9);
        FloatVector k = a.add(10);
        FloatVector l = a.add(11);
        FloatVector n = a.add(12);
        FloatVector o = a.add(13);
        FloatVector p = a.add(14);
        FloatVector q = a.add(15);
        for (int round = 0; round < rounds; round++) {
            a = a.fma(m, m);
            b = b.fma(m, m);
            c = c.fma(m, m);
            d = d.fma(m, m);
            e = e.fma(m, m);
            f = f.fma(m, m);
            g = g.fma(m, m);
            h = h.fma(m, m);
            i = i.fma(m, m);
            j = j.fma(m, m);
            k = k.fma(m, m);
            l = l.fma(m, m);
            n = n.fma(m, m);
            o = o.fma(m, m);
            p = p.fma(m, m);
            q = q.fma(m, m);
        }
        FloatVector low = a.add(b).add(c.add(d)).add(e.add(f));
        FloatVector high = g.add(h).add(i.add(j)).add(k.add(l));
        return low.add(high).add(n.add(o).add(p.add(q))).lane(0);
    }

    @Override
    public void close() {
        pool.close();
        arena.close();
    }
}
