package dev.tiller.kernels.cpu;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/**
 * Notices a Java machine that does not turn vectors into vector instructions but makes an object of each: everything is
 * right then, and a hundred times slower. One of the kernels is timed beside a plain loop of the same work until it is
 * as fast, which takes some milliseconds of a thread of its own, a second after the start. Both have the same time to be
 * compiled in, only the best times count, and slow is only said when the compilers have had the time to do their work,
 * so neither a loaded machine nor a cold start is taken for a slow one.
 */
final class VectorCheck implements Runnable {
    /** Elements, a multiple of all vectors. */
    private static final int N = 128;

    private static final long SLICE_NANOS = 500_000;

    /** Of a slice once it is fast. */
    private static final int MOST_CALLS = 256;

    /** With so many calls the plain loop has been compiled. */
    private static final int COMPILED_CALLS = 2000;

    /** Vector code that is compiled as it should be takes as long as the plain loop, or less; otherwise 8 to 3000 times. */
    private static final double SLOW = 3;

    /** Slices after which slow vectors are suspicious; it usually takes a tenth. */
    private static final int SUSPICIOUS = 200;

    /** Until then a program that starts has better things to compile. */
    private static final long LATER_MILLIS = 1000;

    private static final long GIVE_UP_NANOS = 60_000_000_000L;

    private static final AtomicReference<Thread> STARTED = new AtomicReference<>();

    private final Consumer<String> warnings;
    private final float[] x = new float[N];
    private final float[] y = new float[N];
    private long vectors = Long.MAX_VALUE;
    private long plain = Long.MAX_VALUE;
    private int plainCalls;
    private int slices;

    VectorCheck(Consumer<String> warnings) {
        this.warnings = warnings;
        Arrays.fill(y, 1e-9f);
    }

    /** Begins to check in the background, once in a Java machine. */
    static void start() {
        Thread t = new Thread(new VectorCheck(System.err::println), "tiller-vector-check");
        t.setDaemon(true);
        if (STARTED.compareAndSet(null, t)) {
            t.start();
        }
    }

    /** Waits until the check is over. */
    static void await() throws InterruptedException {
        STARTED.get().join();
    }

    @Override
    public void run() {
        try {
            Thread.sleep(LATER_MILLIS);
            long start = System.nanoTime();
            while (!isFast()) {
                measure();
                if (slices >= SUSPICIOUS && !isFast()) {
                    boolean patient = System.nanoTime() - start < GIVE_UP_NANOS;
                    if (!(patient && compilersAreBusy())) {
                        warnings.accept(warning());
                        return;
                    }
                }
                Thread.sleep(3);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // nobody does that; then nothing is known
        }
    }

    boolean isFast() {
        return plainCalls >= COMPILED_CALLS && vectors <= SLOW * plain;
    }

    /** One slice of each. */
    void measure() {
        vectors = Math.min(vectors, slice(true));
        plain = Math.min(plain, slice(false));
        slices++;
    }

    /** Nanoseconds of a call. */
    private long slice(boolean vector) {
        long start = System.nanoTime();
        long end = start;
        int calls = 0;
        while (end - start < SLICE_NANOS && calls < MOST_CALLS) {
            for (int i = 0; i < 8; i++) {
                if (vector) {
                    RowKernels.addScaled(x, 0, 0.5f, y, 0, N);
                } else {
                    addScaled(x, 0.5f, y);
                }
            }
            calls += 8;
            end = System.nanoTime();
        }
        plainCalls += vector ? 0 : calls;
        return Math.max(1, (end - start) / calls);
    }

    private static void addScaled(float[] x, float factor, float[] v) {
        for (int i = 0; i < x.length; i++) {
            x[i] = v[i] * factor + x[i];
        }
    }

    /** True if a good part of half a second went into compiling: the kernel may still wait for its turn. */
    private static boolean compilersAreBusy() throws InterruptedException {
        CompilationMXBean compilers = ManagementFactory.getCompilationMXBean();
        if (compilers == null || !compilers.isCompilationTimeMonitoringSupported()) {
            return false;
        }
        long before = compilers.getTotalCompilationTime();
        Thread.sleep(500);
        return compilers.getTotalCompilationTime() - before > 50;
    }

    private String warning() {
        return String.format(
                Locale.ROOT,
                "tiller: WARNING: vector code takes %.0f times as long as plain loops here, so everything will be very SLOW: %s",
                (double) vectors / plain,
                cause(
                        System.getProperty("java.vm.info", ""),
                        Lanes.BITS,
                        Lanes.PREFERRED_BITS,
                        System.getProperty("os.arch")));
    }

    /** What is wrong and what to do, from what the Java machine says of itself. */
    static String cause(String vmInfo, int bits, int preferred, String processor) {
        if (vmInfo.contains("interpreted")) {
            return "Java only interprets; start it without -Xint";
        }
        if (vmInfo.contains("emulated-client")) {
            return "Java runs without its optimising compiler; start it without -XX:TieredStopAtLevel, -client or anything"
                    + " else that keeps C2 off";
        }
        if (bits > preferred) {
            return "this processor has vectors of " + preferred + " bits; leave out -D" + Lanes.PROPERTY + "=" + bits;
        }
        if (preferred == 128 && (processor.equals("amd64") || processor.equals("x86_64"))) {
            return "Java uses no AVX2 here; start it without -XX:UseAVX and -XX:-UseFMA, or, if the processor has none,"
                    + " use --backend scalar";
        }
        return "this Java machine (" + System.getProperty("java.vm.name") + " " + Runtime.version()
                + ") does not compile jdk.incubator.vector to vector instructions; use an OpenJDK 25 with HotSpot, and no"
                + " options that switch its compilers or vectors off, or --backend scalar";
    }
}
