package dev.tiller.bench;

import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;

/** Tokens per second of one model on given shapes. */
public final class Rates {
    /** Tokens before the first decoded one. */
    public static final int CONTEXT = 16;

    /** Rows of one forward pass of a long prompt. */
    private static final int CHUNK = 512;

    /** Steps after which steered and unsteered decode change places: short, so that both see the same machine. */
    private static final int STRETCH = 8;

    private final Model model;
    private final int prompt;
    private final int decode;
    private final int batch;
    private final String weights;
    private final Workload steered;

    /**
     * @param prompt tokens of the prefill row
     * @param decode tokens decoded per sequence
     * @param batch sequences of the batch row
     */
    Rates(Model model, int prompt, int decode, int batch) {
        this.model = model;
        this.prompt = prompt;
        this.decode = decode;
        this.batch = batch;
        this.weights = model.weightFormats();
        SteeringPlan everyBlock = Workload.everyBlock(model.spec());
        this.steered = new Workload("decode_steered", List.of(everyBlock), List.of());
        checkContext(model, prompt, "--prompt", CONTEXT, decode);
    }

    /** Refuses shapes that the model has no positions for. */
    static void checkContext(Model model, int prompt, String promptOption, int context, int decode) {
        int longest = Math.max(prompt, context + decode);
        if (longest > model.spec().maxPositions()) {
            throw new TillerException(promptOption + " " + prompt + " and --decode " + decode + " (after " + context
                    + " tokens) need " + longest + " positions, the model's context has "
                    + model.spec().maxPositions());
        }
    }

    /** Measures every row once. */
    List<Sample> round() {
        List<Sample> samples = new ArrayList<>();
        samples.add(sample("prefill", 1, prompt / Prefill.seconds(model, prompt, CHUNK)));
        try (Decoding plain = new Decoding(model, Workload.UNSTEERED, CONTEXT, 1);
                Decoding edited = new Decoding(model, steered, CONTEXT, 1)) {
            alternate(plain, edited);
            samples.add(sample("decode", 1, decode / plain.seconds()));
            samples.add(sample("decode_steered", 1, decode / edited.seconds()));
        }
        try (Decoding many = new Decoding(model, Workload.UNSTEERED, CONTEXT, batch)) {
            many.advance(decode);
            samples.add(sample("decode_batch", batch, batch * decode / many.seconds()));
        }
        return samples;
    }

    private Sample sample(String name, int sequences, double rate) {
        return new Sample(name, weights, sequences, rate);
    }

    /** Both run the same number of steps; who goes first changes each time. */
    private void alternate(Decoding a, Decoding b) {
        boolean aFirst = true;
        for (int done = 0; done < decode; done += STRETCH) {
            int steps = Math.min(STRETCH, decode - done);
            (aFirst ? a : b).advance(steps);
            (aFirst ? b : a).advance(steps);
            aFirst = !aFirst;
        }
    }
}
