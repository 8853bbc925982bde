package dev.tiller.kernels.cpu;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.Timeline;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Runs the operations of a step on tiny operands, in a thread and on a backend of its own, while a model is read: until
 * Java has compiled a kernel, its vectors are objects and it is a hundred times slower. The shapes are as small as they
 * can be and still take the ways that a real step takes, because every operation on vectors that are objects makes Java
 * compile more of what is not needed later. What only later tokens need is left to them: the compiler has no time for it
 * before the first.
 *
 * <p>A kernel that is not warm when the first step comes is only slow, so nothing here can fail: the first step waits for
 * one round of it, but no longer than until a deadline.
 */
public final class WarmUp {
    /** Set to false, Java starts cold; results are the same. */
    public static final String PROPERTY = "tiller.warmup";

    /** No warm-up. */
    public static final WarmUp NONE = new WarmUp(false);

    /** Longest time from the start that the first step waits. */
    private static final long LONGEST_NANOS = 2_000_000_000L;

    /**
     * Calls of each operation in a round. The program's script lets Java compile kernels after so few of them; with
     * Java's own settings it takes many rounds.
     */
    private static final int CALLS = 24;

    /** Calls of each operation at the sizes {@link Sizes#LEAST}: after so many of them Java optimises what it has seen before. */
    private static final int FIRST_CALLS = 40;

    /**
     * Whether Java has seen the kernels run in the rehearsal that the program's script makes: then it knows how long their
     * loops are. Only if the archive of it is in use, which Java does not refuse aloud.
     */
    private static final boolean REHEARSED = Boolean.getBoolean("tiller.rehearsed")
            && System.getProperty("java.vm.info", "").contains("sharing");

    /** A round in which a call took no longer on average ran compiled code. */
    private static final long WARM_NANOS = 150_000;

    /** Rows of a prompt in matmuls: makes use of the tiles for six and for four rows, where weights stand for themselves. */
    private static final int PLAIN_ROWS = 10;

    /** The same where weights are in blocks: the tile for eight rows, which a prompt is cut into. */
    private static final int BLOCK_ROWS = 8;

    /** Outputs of the matmul: three panels, so that there is a pair and a single one. */
    private static final int OUTPUTS = 3 * 2 * Lanes.L;

    /** Width of a row elsewhere: whole vectors and a part of one. */
    private static final int WIDTH = 40;

    private static final int GROUP = 3;

    /** Rows of a chunk of a prompt in attention: their queries make use of the tiles for six and for one. */
    private static final int CHUNK = 5;

    private static final int PAGES = 2;

    /**
     * How large the operands are where loops depend on it.
     *
     * @param plain inputs of the matmul where weights stand for themselves
     * @param blocks the same where weights are in blocks
     * @param head width of a head
     * @param from position of the first row of the chunk
     * @param logits numbers of which the largest is looked for
     */
    private record Sizes(int plain, int blocks, int head, int from, int logits) {
        /**
         * So few rounds of each loop that Java compiles whole methods, and not first one for a loop that is under way. What
         * it learns from these about loops would be wrong, so they are only for a machine that has seen a rehearsal.
         */
        static final Sizes LEAST = new Sizes(4, 4, 4, 0, 3 * Lanes.L);

        /**
         * With 16 plain inputs the compiler takes the loops over inputs for short ones, and batches stay four times slower
         * for the life of the process. In blocks: one and a part of one. The last row of the chunk is on the next page.
         */
        static final Sizes USUAL = new Sizes(48, 40, 64, KvPages.PAGE - 2, 20 * Lanes.L);
    }

    private static WarmUp begun;

    /** None, or one for matmuls and what else depends on the model, and one for the rest. */
    private final List<Thread> threads;

    private final CompletableFuture<Formats> formats = new CompletableFuture<>();

    /** Opens when what the first step needs is warm. */
    private final CountDownLatch enough;

    private final long deadline = System.nanoTime() + LONGEST_NANOS;
    private volatile boolean stopped;

    /**
     * The formats that weights have, and what other operations are like.
     *
     * @param blocks of matrices that whole prompts are multiplied with
     * @param tables of the embedding table and the head, which are used row by row
     * @param kinds of the other operations
     */
    public record Formats(Set<WeightFormat> blocks, Set<WeightFormat> tables, Kinds kinds) {
        private static final Formats NONE = new Formats(Set.of(), Set.of());

        public Formats(Set<WeightFormat> blocks, Set<WeightFormat> tables) {
            this(blocks, tables, Kinds.USUAL);
        }

        /** The same formats with other operations of such kinds. */
        public Formats with(Kinds other) {
            return new Formats(blocks, tables, other);
        }
    }

    /**
     * What differs from family to family. The usual kinds get warm before the family is known, others after that.
     *
     * @param norm of all norms
     * @param activation of the MLP
     * @param gated whether the activation of one half is multiplied with the other
     * @param capped whether logits are
     */
    public record Kinds(Norm.Kind norm, Activation activation, boolean gated, boolean capped) {
        static final Kinds USUAL = new Kinds(Norm.Kind.RMS, Activation.SILU, true, false);
    }

    private WarmUp(boolean wanted) {
        Thread.Builder named = Thread.ofPlatform().daemon().name("tiller-warm-up-", 1);
        enough = new CountDownLatch(wanted ? 2 : 0);
        threads = wanted ? List.of(named.unstarted(() -> run(false)), named.unstarted(() -> run(true))) : List.of();
    }

    /**
     * Begins with what does not depend on a model, for a program that is going to load one: the next {@link #start} goes
     * on with it.
     */
    public static synchronized void begin() {
        if (begun == null && !"false".equals(System.getProperty(PROPERTY))) {
            begun = new WarmUp(true);
            begun.threads.forEach(Thread::start);
        }
    }

    /** Begins in the background, or goes on, if that backend is one that needs it; {@link #formats} must follow. */
    public static synchronized WarmUp start(Backend backend) {
        if (backend instanceof SimdBackend) {
            begin();
        } else if (begun != null) {
            begun.stop();
        }
        WarmUp warmUp = backend instanceof SimdBackend && begun != null ? begun : NONE;
        begun = null;
        return warmUp;
    }

    /** Says in which formats the weights of the steps will be. */
    public void formats(Formats weights) {
        formats.complete(weights);
    }

    /** Waits until what the first step needs is warm, or the time is up. An interrupt ends the waiting and stays set. */
    public void await() {
        if (threads.isEmpty() || stopped) {
            return;
        }
        try {
            enough.await(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Timeline.mark("warm");
    }

    /** Ends it soon. */
    public void stop() {
        stopped = true;
        formats.complete(Formats.NONE);
    }

    private void run(boolean matmuls) {
        boolean open = false;
        try {
            Formats weights = matmuls ? formats.get(LONGEST_NANOS, TimeUnit.NANOSECONDS) : Formats.NONE;
            try (SimdBackend backend = SimdBackend.small()) {
                if (REHEARSED) {
                    firstCalls(backend, weights, matmuls);
                    Timeline.mark("warm-up: first calls done");
                }
                Rounds rounds = new Rounds(backend, weights, Sizes.USUAL, CALLS);
                long slowest = rounds.run(matmuls);
                Timeline.mark("warm-up: first round done");
                enough.countDown();
                open = true;
                while (!stopped && System.nanoTime() < deadline && slowest > WARM_NANOS) {
                    slowest = rounds.run(matmuls);
                }
                Timeline.mark("warm-up: done");
            }
        } catch (Exception | LinkageError | OutOfMemoryError e) {
            Timeline.mark("warm-up ended by " + e); // the first step will be slow, or say what is wrong
        } finally {
            if (!open) {
                enough.countDown();
            }
        }
    }

    /** The calls that a machine with a rehearsal begins with. */
    void firstCalls(SimdBackend backend, Formats weights, boolean matmuls) {
        new Rounds(backend, weights, Sizes.LEAST, FIRST_CALLS).run(matmuls);
    }

    /** The operations and their operands. */
    private final class Rounds {
        private final Backend b;
        private final Sizes sizes;
        private final int calls;
        private final AttentionSpec spec;
        private final Buffer qkv;
        private final Buffer mixed;
        private final Buffer x;
        private final Buffer delta;
        private final Buffer normed;
        private final Buffer gateUp;
        private final Buffer act;
        private final Buffer logits;
        private final Norm norm;
        private final Kinds kinds;
        private final KvPages kv;
        private final RopeTable angles;
        private final Rows chunk;
        private final int[] ids = new int[2];
        private final int[] best = new int[1];
        private final List<Matrix> blocks;
        private final List<Matrix> tables;

        /** Of plain weights, of those in blocks. */
        private final Buffer[] inputs;

        private final Buffer product;

        Rounds(Backend b, Formats formats, Sizes sizes, int calls) {
            this.b = b;
            this.sizes = sizes;
            this.calls = calls;
            int head = sizes.head;
            spec = new AttentionSpec(GROUP, 1, head, 0.125f, 0, 0);
            blocks = formats.blocks.stream().map(this::weight).toList();
            tables = formats.tables.stream().map(this::weight).toList();
            inputs = new Buffer[] {input(sizes.plain), input(sizes.blocks)};
            product = b.buffer(PLAIN_ROWS, OUTPUTS);
            qkv = b.buffer(CHUNK, (GROUP + 2) * head, numbers(CHUNK * (GROUP + 2) * head));
            mixed = b.buffer(CHUNK, GROUP * head);
            x = b.buffer(CHUNK, WIDTH, numbers(CHUNK * WIDTH));
            delta = b.buffer(CHUNK, WIDTH, numbers(CHUNK * WIDTH));
            normed = b.buffer(CHUNK, WIDTH);
            gateUp = b.buffer(CHUNK, 2 * WIDTH, numbers(CHUNK * 2 * WIDTH));
            act = b.buffer(CHUNK, WIDTH);
            logits = b.buffer(1, sizes.logits, numbers(sizes.logits));
            norm = norm(Norm.Kind.RMS, null);
            kinds = formats.kinds;
            kv = b.kvPages(1, 1, head, WeightFormat.F32);
            int[] pages = new int[PAGES];
            for (int i = 0; i < PAGES; i++) {
                pages[i] = kv.allocate();
            }
            int positions = PAGES * KvPages.PAGE;
            angles = new RopeTable(head / 2, numbers(positions * head / 2), numbers(positions * head / 2));
            chunk = rows(CHUNK, sizes.from, pages);
        }

        private Norm norm(Norm.Kind kind, Buffer bias) {
            return new Norm(kind, b.buffer(1, WIDTH, numbers(WIDTH)), bias, 1e-5f, 0);
        }

        private Buffer input(int columns) {
            return b.buffer(PLAIN_ROWS, columns, numbers(PLAIN_ROWS * columns));
        }

        private static Rows rows(int count, int from, int[] pages) {
            int[] position = new int[count];
            for (int t = 0; t < count; t++) {
                position[t] = from + t;
            }
            return new Rows(count, position, new int[count], new int[][] {pages});
        }

        /** Small numbers of both signs, all different. */
        private static float[] numbers(int n) {
            float[] values = new float[n];
            for (int i = 0; i < n; i++) {
                values[i] = (float) ((i * 0.618) % 1 - 0.5);
            }
            return values;
        }

        private Matrix weight(WeightFormat format) {
            int columns = WeightFormat.PLAIN.contains(format) ? sizes.plain : sizes.blocks;
            MemorySegment data = MemorySegment.ofArray(numbers(OUTPUTS * columns));
            return b.matrix(
                    List.of(new TensorView("warm-up", DType.F32, new long[] {OUTPUTS, columns}, data, "memory")),
                    format);
        }

        /** What depends on the model or the rest; returns the longest mean time of a call. */
        long run(boolean matmuls) {
            return matmuls ? Math.max(ofFamily(), matmuls()) : others();
        }

        /** Operations of other kinds than the usual ones; returns the longest mean time of a call. */
        private long ofFamily() {
            long slowest = 0;
            if (kinds.norm != Kinds.USUAL.norm) {
                Norm own = norm(kinds.norm, b.buffer(1, WIDTH, numbers(WIDTH)));
                slowest = Math.max(slowest, time(() -> site(own)));
            }
            if (!kinds.gated) {
                slowest = Math.max(slowest, time(() -> b.activation(delta, CHUNK, kinds.activation, act)));
            } else if (kinds.activation != Kinds.USUAL.activation) {
                slowest = Math.max(slowest, time(() -> b.gatedActivation(gateUp, CHUNK, kinds.activation, act)));
            }
            if (kinds.capped) {
                slowest = Math.max(slowest, time(() -> b.scaleAndCap(logits, 1, 1, 30)));
            }
            return slowest;
        }

        /** The products of a prompt and its first token; returns the longest mean time of a call. */
        private long matmuls() {
            long slowest = 0;
            for (Matrix w : blocks) {
                int rows = isPlain(w) ? PLAIN_ROWS : BLOCK_ROWS;
                slowest = Math.max(slowest, time(() -> multiply(rows, w)));
            }
            for (Matrix w : tables) {
                slowest = Math.max(slowest, time(() -> b.embed(w, ids, 2, 1, input(w))));
                slowest = Math.max(slowest, time(() -> multiply(1, w)));
            }
            return slowest;
        }

        private static boolean isPlain(Matrix w) {
            return WeightFormat.PLAIN.contains(w.format());
        }

        private Buffer input(Matrix w) {
            return inputs[isPlain(w) ? 0 : 1];
        }

        private void multiply(int rows, Matrix w) {
            b.matmul(input(w), rows, w, null, product);
        }

        /** All other operations of a prompt of the usual kinds; returns the longest mean time of a call. */
        private long others() {
            long slowest = time(() -> attend(chunk)) / 4;
            slowest = Math.max(slowest, time(() -> site(norm)));
            slowest = Math.max(slowest, time(() -> b.gatedActivation(gateUp, CHUNK, Activation.SILU, act)));
            return Math.max(slowest, time(() -> b.argmax(logits, 1, best)));
        }

        private void attend(Rows rows) {
            b.prepareAttention(qkv, rows, spec, null, angles, kv, 0);
            b.attend(qkv, rows, 0, kv, 0, spec, mixed);
        }

        private void site(Norm norm) {
            ModuleOutput add = new ModuleOutput(delta, EditTable.NONE, null, EditTable.NONE);
            b.site(x, add, CHUNK, EditTable.NONE, SiteTaps.NONE, EditTable.NONE, norm, normed);
        }

        private long time(Runnable operation) {
            long start = System.nanoTime();
            for (int i = 0; i < calls && !stopped; i++) {
                operation.run();
            }
            return (System.nanoTime() - start) / calls;
        }
    }
}
