package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.SharedFiles;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A step of decoding leaves (almost) nothing for the garbage collector, whatever the format of the weights, the number of
 * texts and the plans. Counted are all threads of this Java machine, one step at a time; what an interpreter or a compiler
 * leaves behind while code is cold does not count, so there are steps until a stretch of them is clean, up to a limit.
 * Runs in a Java machine of its own, with the compile options of the program.
 */
class StepAllocationTest {
    private static final Path MODEL =
            Path.of(System.getProperty("tiller.home", "..")).resolve("models/microworld");

    /** The list of rows that is handed to the backend: an object and its table of pages. */
    private static final int FIXED_BYTES = 96;

    /** GPT-2 leaves 8 to 32 bytes more now and then; a single vector takes 96. */
    private static final int FIXED_BYTES_OF_OTHERS = 128;

    /** For each text its place in that table. */
    private static final int BYTES_PER_TEXT = 8;

    /** Steps that must be clean one after the other; in between are those that take a new page. */
    private static final int STRETCH = 24;

    private static final int MOST_STEPS = 8000;

    /** Their kernels are called less often in a step, so they take longer to get warm. */
    private static final int MOST_STEPS_OF_OTHERS = 60_000;

    private static final int CONTEXT = 4;

    /** A prompt of several tiles of rows and several pages. */
    private static final int PROMPT = 41;

    private static final int MOST_PROMPTS = 4000;

    /** The pages of a prompt and their tables. */
    private static final int PROMPT_BYTES = 4096;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @ParameterizedTest
    @CsvSource({
        "F32,1,false", "BF16,1,false", "F16,1,false", "Q8,1,false", "Q4,1,false",
        "F32,8,false", "BF16,8,false", "F16,8,false", "Q8,8,false", "Q4,8,false",
        "F32,8,true", "BF16,8,true", "F16,8,true", "Q8,8,true", "Q4,8,true",
        "F32,1,true", "BF16,1,true", "F16,1,true", "Q8,1,true", "Q4,1,true"
    })
    void aStepAllocatesNextToNothing(WeightFormat format, int texts, boolean steered) {
        assertTrue(threads.isThreadAllocatedMemoryEnabled());
        try (Model model = Model.load(MODEL, new LoadOptions("simd", 2, format))) {
            checkSteps(model, texts, steered, FIXED_BYTES, MOST_STEPS);
        }
    }

    /** Each has kernels that others do not: activations, norms, caps, experts, formats of keys and values. */
    @ParameterizedTest
    @CsvSource({
        "gpt_neox,BF16,F32,1", "gpt2,F16,BF16,1", "gemma2,Q8,F16,3", "gemma3_text,BF16,BF16,1", "cohere,Q4,F32,1",
        "qwen3,F32,F16,8", "qwen3_moe,Q4,BF16,5", "mixtral,Q8,F32,1", "olmo2,Q4,BF16,12", "granite,Q8,F16,1"
    })
    void otherFamiliesDoNotAllocateEither(String family, WeightFormat format, WeightFormat kv, int texts) {
        Path directory = SharedFiles.require("fixtures/architectures/" + family);
        LoadOptions options = new LoadOptions("simd", 2, format).withKv(kv).withoutCache();
        try (Model model = Model.load(directory, options)) {
            checkSteps(model, texts, false, FIXED_BYTES_OF_OTHERS, MOST_STEPS_OF_OTHERS);
            checkPrompts(model);
        }
    }

    private void checkPrompts(Model model) {
        Texts read = new Texts(model, 1, false);
        long[] stretch = new long[STRETCH];
        long median = Long.MAX_VALUE;
        for (int prompts = 0; median > PROMPT_BYTES && prompts < MOST_PROMPTS; prompts += STRETCH) {
            for (int i = 0; i < STRETCH; i++) {
                stretch[i] = read.begin(PROMPT);
                read.close();
                model.cache().kept().clear();
            }
            Arrays.sort(stretch);
            median = stretch[STRETCH / 2];
        }
        String found = Arrays.toString(stretch);
        assertTrue(median <= PROMPT_BYTES, () -> "bytes of prompts once the code is warm: " + found);
    }

    private void checkSteps(Model model, int texts, boolean steered, int fixedBytes, int mostSteps) {
        int most = fixedBytes + BYTES_PER_TEXT * texts;
        Texts decoded = new Texts(model, texts, steered);
        long[] stretch = new long[STRETCH];
        long least = Long.MAX_VALUE;
        int steps = 0;
        while (least > most && steps < mostSteps) {
            for (int i = 0; i < STRETCH; i++) {
                stretch[i] = decoded.step();
            }
            steps += STRETCH;
            long[] sorted = stretch.clone();
            Arrays.sort(sorted);
            // a page is taken by no more than one step in sixteen
            least = Math.min(least, sorted[STRETCH - 1 - Math.ceilDiv(STRETCH, KvPages.PAGE)]);
        }
        String found = Arrays.toString(stretch);
        assertTrue(
                least <= most,
                () -> "expected at most " + most + " bytes in a step once the code is warm, found after " + mostSteps
                        + " steps: " + found);
        decoded.close();
        model.cache().kept().clear();
        assertEquals(0, model.cache().pagesInUse());
    }

    /** Texts that are decoded together and begin anew where the context ends. */
    private final class Texts {
        private final Model model;
        private final Step step;
        private final List<SteeringPlan> plans = new ArrayList<>();
        private final List<Sequence> sequences = new ArrayList<>();
        private final int[][] last;
        private final int[] next;

        Texts(Model model, int count, boolean steered) {
            this.model = model;
            this.step = model.newStep();
            this.last = new int[count][1];
            this.next = new int[count];
            Random random = new Random(count);
            for (int s = 0; s < count; s++) {
                plans.add(steered ? plan(model, random) : SteeringPlan.NONE);
            }
        }

        /** One step of all texts; returns the bytes that were allocated meanwhile. */
        long step() {
            if (sequences.isEmpty()
                    || sequences.getFirst().length() == model.spec().maxPositions()) {
                begin(CONTEXT);
            }
            long nothing = threads.getTotalThreadAllocatedBytes();
            long before = threads.getTotalThreadAllocatedBytes();
            step.clear();
            for (int s = 0; s < last.length; s++) {
                last[s][0] = next[s];
                step.add(sequences.get(s), last[s], 0, 1, Step.Logits.LAST);
            }
            model.backend().argmax(model.forward(step), last.length, next);
            long after = threads.getTotalThreadAllocatedBytes();
            return after - before - (before - nothing);
        }

        /** Begins all texts with so many tokens; returns the bytes that their forward pass allocated. */
        long begin(int context) {
            close();
            step.clear();
            Random random = new Random(7);
            for (int s = 0; s < last.length; s++) {
                int[] ids = random.ints(context, 0, model.spec().vocabulary()).toArray();
                sequences.add(model.newSequence(plans.get(s), context));
                step.add(sequences.get(s), ids, 0, context, Step.Logits.LAST);
            }
            long before = threads.getTotalThreadAllocatedBytes();
            model.backend().argmax(model.forward(step), last.length, next);
            return threads.getTotalThreadAllocatedBytes() - before;
        }

        void close() {
            sequences.forEach(Sequence::close);
            sequences.clear();
        }
    }

    private static SteeringPlan plan(Model model, Random random) {
        int blocks = model.spec().blocks();
        return SteeringPlan.of(
                Edit.add(vector(model, random), 1f, random.nextInt(blocks)).over(Span.GENERATION));
    }

    private static SteeringVector vector(Model model, Random random) {
        float[] direction = new float[model.spec().width()];
        for (int i = 0; i < direction.length; i++) {
            direction[i] = (float) random.nextGaussian() * 0.1f;
        }
        return SteeringVector.uniform("random", direction);
    }
}
