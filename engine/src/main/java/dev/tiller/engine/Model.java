package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.SimdBackend;
import dev.tiller.kernels.cpu.WarmUp;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.Timeline;
import dev.tiller.loader.template.ChatTemplate;
import dev.tiller.loader.template.Message;
import dev.tiller.loader.template.RoleSpan;
import dev.tiller.loader.template.RoleSpans;
import dev.tiller.loader.template.ThinkingMarkers;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A loaded model: weights on a backend, tokenizer and chat template. The place to start:
 *
 * <pre>{@code
 * try (Model model = Model.load(Path.of("models/microworld"))) {
 *     int[] prompt = model.chat(List.of(new Message("user", "Will my plan work?")));
 *     Generation answer = model.generate(GenerationRequest.greedy(prompt, 64));
 * }
 * }</pre>
 *
 * Used by one thread at a time.
 */
public final class Model implements AutoCloseable {
    private final Checkpoint checkpoint;
    private final ModelSpec spec;
    private final Backend backend;
    private final WarmUp warmUp;
    private final String cacheProblem;
    private final Weights weights;
    private final KvCache cache;
    private final Transformer transformer;
    private final Tokenizer tokenizer;
    private final ChatTemplate template;
    private final Set<Integer> stopTokens;
    private final CompiledPlans plans = new CompiledPlans(this);
    private String fingerprint;
    private final AtomicBoolean inUse = new AtomicBoolean();

    private Model(Checkpoint checkpoint, Backend backend, WarmUp warmUp, LoadOptions options) {
        this.warmUp = warmUp;
        this.checkpoint = checkpoint;
        this.backend = backend;
        this.spec = ModelSpec.of(checkpoint.config());
        Background<TextSide> text = Background.start("tiller-text", () -> TextSide.read(checkpoint));
        try {
            this.cacheProblem = options.cache()
                    ? WeightCache.ofUser(System.getenv()).attach(backend, checkpoint, options.weights())
                    : null;
            this.weights = Weights.load(checkpoint, spec, backend, options.weights());
        } finally {
            text.awaitEnd(); // it reads the mapped file, which is closed after an error
        }
        Timeline.mark("weights packed");
        this.cache = KvCache.of(backend, spec, weights.operandFormat(), options);
        this.transformer = new Transformer(spec, weights, backend, cache);
        TextSide side = text.result();
        this.tokenizer = side.tokenizer();
        this.template = side.template();
        checkTokenizer();
        this.stopTokens = side.stopTokens();
        Timeline.mark("model loaded");
    }

    /** A tokenizer with ids that the model has no embedding for belongs to another model. */
    private void checkTokenizer() {
        if (tokenizer != null && tokenizer.vocabSize() > spec.vocabulary()) {
            throw new TillerException(checkpoint.path() + ": its tokenizer has " + tokenizer.vocabSize()
                    + " tokens, the model's embedding only " + spec.vocabulary()
                    + "; the tokenizer belongs to another model");
        }
    }

    /** Loads an HF directory or a GGUF file on the fastest backend. */
    public static Model load(Path path) {
        return load(path, LoadOptions.DEFAULT);
    }

    /** Loads an HF directory or a GGUF file. Everything wrong with it is an error that names the file and the tensor or key. */
    public static Model load(Path path, LoadOptions options) {
        if (!Files.exists(path)) {
            throw Checkpoint.missing(path);
        }
        // Both take their time, and the sooner the backend is there the sooner its kernels can get warm.
        Background<StartedBackend> opening = Background.start("tiller-backend", () -> StartedBackend.open(options));
        Checkpoint checkpoint = null;
        try {
            checkpoint = Checkpoint.open(path);
            Timeline.mark("checkpoint open");
            StartedBackend started = opening.result();
            started.warmUp().formats(Weights.formats(checkpoint, started.backend(), options.weights()));
            return new Model(checkpoint, started.backend(), started.warmUp(), options);
        } catch (RuntimeException | Error e) {
            StartedBackend.close(opening);
            if (checkpoint != null) {
                checkpoint.close();
            }
            throw e;
        }
    }

    // ---- what it is ----

    /** Its numbers and choices. */
    public ModelSpec spec() {
        return spec;
    }

    /** What it runs on. */
    public Backend backend() {
        return backend;
    }

    /** Where it came from; open as long as the model is. */
    public Checkpoint checkpoint() {
        return checkpoint;
    }

    /** Identifies weights and configuration; vector files carry it. */
    public synchronized String fingerprint() {
        if (fingerprint == null) {
            fingerprint = checkpoint.fingerprint();
        }
        return fingerprint;
    }

    /** Bytes of all weight matrices in memory. */
    public long weightBytes() {
        return weights.bytes();
    }

    /** True if weights were taken from the user's {@link WeightCache}. */
    public boolean weightsCached() {
        return backend instanceof SimdBackend simd && simd.matricesFromFile() > 0;
    }

    /** Why packed weights that are there were not taken; empty if there are none or they were. */
    public Optional<String> cacheProblem() {
        return Optional.ofNullable(cacheProblem);
    }

    /**
     * Bytes of the weight matrices that a step must read whatever its rows are: all but an embedding table of its own and
     * the experts that a single row does not go through.
     */
    public long weightBytesPerStep() {
        return weights.bytesPerStep();
    }

    /** Formats in which weight matrices are kept in memory, e.g. "bf16"; several are joined by "+", those of the blocks first: "q4+q8". */
    public String weightFormats() {
        return weights.formats().stream()
                .map(f -> f.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining("+"));
    }

    /**
     * What the model takes in memory, in one line: weights, and keys and values by position, for the whole context and at
     * most.
     */
    public String memory() {
        return "weights " + KvCache.megabytes(weightBytes()) + " (" + weightFormats() + "); "
                + cache.describe(spec.maxPositions());
    }

    /** Type in which the backend keeps inputs of matmuls for this model. */
    public WeightFormat operandFormat() {
        return backend.operandFormat(weights.operandFormat());
    }

    /** Keys and values of all its texts. */
    public KvCache cache() {
        return cache;
    }

    /** True if it came with a tokenizer. */
    public boolean hasTokenizer() {
        return tokenizer != null;
    }

    /** Its tokenizer; an error if it came without one. */
    public Tokenizer tokenizer() {
        return tokenizer != null ? tokenizer : checkpoint.tokenizer();
    }

    /** Its chat template, empty if it came without one. */
    public Optional<ChatTemplate> template() {
        return Optional.ofNullable(template);
    }

    /** True if that token ends an answer. */
    public boolean isEnd(int id) {
        return stopTokens.contains(id);
    }

    // ---- text to tokens ----

    /** Renders a conversation with the model's chat template, ready for the assistant's answer. */
    public String renderChat(List<Message> messages) {
        return renderChat(messages, LocalDateTime.now());
    }

    private String renderChat(List<Message> messages, LocalDateTime now) {
        if (template == null) {
            throw new TillerException(
                    checkpoint.path()
                            + ": has no chat template (looked for chat_template.jinja and tokenizer_config.json); give a plain prompt");
        }
        return template.render(messages, null, true, templateVariables(), now).text();
    }

    private Map<String, Object> templateVariables() {
        return new HashMap<>(checkpoint.specialTokens());
    }

    /** A conversation for requests: its tokens, and who speaks where for plans that ask for roles. */
    public ChatPrompt chatPrompt(List<Message> messages) {
        List<Message> said = List.copyOf(messages);
        LocalDateTime now = LocalDateTime.now();
        String text = renderChat(said, now);
        return new ChatPrompt(text, tokenizer().encode(text, false), () -> {
            ThinkingMarkers markers =
                    checkpoint.chatTemplateSource().flatMap(ThinkingMarkers::of).orElse(null);
            List<RoleSpan> spans = RoleSpans.find(template, said, true, templateVariables(), now, text, markers);
            return PromptRoles.of(text, tokenizer().encodeWithOffsets(text, false), spans, markers);
        });
    }

    /** Tokens of a rendered conversation. */
    public int[] chat(List<Message> messages) {
        return chatPrompt(messages).ids();
    }

    /** Tokens of a plain text, with the special tokens that the tokenizer adds. */
    public int[] encode(String text) {
        return tokenizer().encode(text, true);
    }

    // ---- text to text ----

    /** Continues one text. */
    public Generation generate(GenerationRequest request) {
        return generate(List.of(request)).getFirst();
    }

    /** Continues many texts in one batch, each with its own plan and seed. */
    public List<Generation> generate(List<GenerationRequest> requests) {
        return new Generator(this, List.of(), TokenSink.NONE).run(requests);
    }

    // ---- text to numbers ----

    /**
     * One forward pass over given tokens.
     *
     * @param promptLength where the prompt ends, for the spans of the plan
     */
    public Activations activations(int[] ids, int promptLength, SteeringPlan plan) {
        if ((long) ids.length * spec.vocabulary() > Integer.MAX_VALUE - 8) {
            throw new TillerException("activations: logits of " + ids.length + " tokens and a vocabulary of "
                    + spec.vocabulary() + " do not fit into one array; give fewer tokens");
        }
        CompiledPlan compiled = compile(plan);
        return exclusively(() -> new Passes(this).run(ids, promptLength, compiled, Step.Logits.ALL));
    }

    /** The same without logits, which are null in the result. */
    public Activations residuals(int[] ids, int promptLength, SteeringPlan plan) {
        CompiledPlan compiled = compile(plan);
        return exclusively(() -> new Passes(this).run(ids, promptLength, compiled, Step.Logits.NONE));
    }

    /** Mean residuals over prompt and response at every H[l], for many texts. */
    public List<PooledResiduals> pooled(List<TokenizedText> texts) {
        return pooled(texts, SteeringPlan.NONE);
    }

    /** The same under a plan. */
    public List<PooledResiduals> pooled(List<TokenizedText> texts, SteeringPlan plan) {
        CompiledPlan compiled = compile(plan);
        return exclusively(() -> new Pooling(this).run(texts, compiled));
    }

    // ---- for the parts of the engine and for benchmarks ----

    /** Checks a plan against this model: blocks, widths, origin. Throws what would be thrown on use. */
    public void check(SteeringPlan plan) {
        compile(plan);
    }

    /** A plan with its numbers for this model: blocks, and coefficients of the stored vectors. */
    public AppliedPlan resolve(SteeringPlan plan) {
        return AppliedPlan.of(compile(plan));
    }

    CompiledPlan compile(SteeringPlan plan) {
        return plans.of(plan);
    }

    /** An empty list of rows for {@link #forward}. */
    public Step newStep() {
        return new Step(spec.vocabulary(), spec.maxPositions(), spec.shortContext());
    }

    /** A new plain text under a plan. Conditions on the prompt are refused: its steps are the caller's business. */
    public Sequence newSequence(SteeringPlan plan, int promptLength) {
        Treatment treatment = Treatment.of(compile(plan), promptLength);
        if (!treatment.decided()) {
            throw new TillerException("steering plan: a condition that is measured on the prompt needs a run that"
                    + " measures it: generate, activations or pooled residuals");
        }
        Sequence sequence = newSequence(treatment);
        sequence.expect(promptLength);
        return sequence;
    }

    Sequence newSequence(Treatment treatment) {
        return new Sequence(cache, treatment, spec.shortContext());
    }

    /** Runs a step; logits [outputs, V] are valid until the next call. */
    public Buffer forward(Step step) {
        return exclusively(() -> transformer.forward(step, Taps.NONE));
    }

    /** Directions to watch in {@link #forward(Step, Projections)}. */
    public Projections projections(List<Probe> probes) {
        return new Projections(this, probes);
    }

    /** The same as {@link #forward(Step)}, with projections of every row. */
    public Buffer forward(Step step, Projections watched) {
        return exclusively(() -> transformer.forward(step, watched.taps(step.size())));
    }

    /** Blocks whose outputs are copied in {@link #forward(Step, Capture)}. */
    public Capture capture(List<Integer> blocks) {
        return new Capture(this, blocks);
    }

    /** The same as {@link #forward(Step)}, with copies of the residual rows. */
    public Buffer forward(Step step, Capture capture) {
        return exclusively(() -> transformer.forward(step, capture.taps(step.size())));
    }

    /**
     * Runs something that uses the model's buffers. A second use from inside the first (say, from a token sink) would
     * overwrite them, so it is refused.
     */
    <T> T exclusively(Supplier<T> work) {
        if (!inUse.compareAndSet(false, true)) {
            throw new IllegalStateException("the model is in use: call it after the run, or load a second one");
        }
        try {
            warmUp.await();
            return work.get();
        } finally {
            inUse.set(false);
        }
    }

    Transformer transformer() {
        return transformer;
    }

    @Override
    public void close() {
        warmUp.stop();
        backend.close();
        checkpoint.close();
    }
}
