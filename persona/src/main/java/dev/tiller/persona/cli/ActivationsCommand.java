package dev.tiller.persona.cli;

import dev.tiller.engine.Activations;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller activations}: one forward pass, everything that other programs compare. */
@Command(
        name = "activations",
        header = "Write logits and residuals of one forward pass.",
        description =
                "Runs one forward pass over given token ids and writes what it computed, after the edits of the plan:"
                        + " logits [T, V], embed [T, d], resid_post [L, T, d] and final_norm [T, d], all float32.",
        footer = {
            "",
            "Examples:",
            "  tiller activations --ids 1,2,3 --out activations.safetensors",
            "  tiller activations --model DIR --ids 1,2,3,4 --prompt-length 2 --steering plan.json --out a.safetensors"
        })
final class ActivationsCommand implements Callable<Integer> {
    private final Console console;

    @Option(names = "--ids", required = true, paramLabel = "1,2,3", description = "Token ids.")
    private String ids;

    @Option(
            names = "--prompt-length",
            paramLabel = "N",
            description = "How many of the ids are the prompt, for the spans of the plan (default: all).")
    private Integer promptLength;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "Safetensors file to write.")
    private Path out;

    @Mixin
    private SteeringArguments steering;

    @Mixin
    private ModelOptions options;

    ActivationsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        int[] tokens = PromptArguments.ids(ids);
        OutputFile.check(out, "--out");
        try (Model model = options.load(console)) {
            SteeringPlan plan = steering.plan(model);
            write(model, tokens, model.activations(tokens, promptLength == null ? tokens.length : promptLength, plan));
        }
        options.note(console, "wrote " + out);
        return Main.OK;
    }

    private void write(Model model, int[] tokens, Activations a) {
        long rows = tokens.length;
        long width = model.spec().width();
        long blocks = model.spec().blocks();
        if (blocks * rows * width > Integer.MAX_VALUE) {
            throw new TillerException("--ids: " + rows + " tokens give more than 2^31 residual values; use fewer");
        }
        float[] residuals = new float[(int) (blocks * rows * width)];
        for (int b = 0; b < blocks; b++) {
            float[] block = a.residPost()[b];
            System.arraycopy(block, 0, residuals, b * block.length, block.length);
        }
        new SafetensorsWriter()
                .add("logits", new long[] {rows, model.spec().vocabulary()}, a.logits())
                .add("embed", new long[] {rows, width}, a.embed())
                .add("resid_post", new long[] {blocks, rows, width}, residuals)
                .add("final_norm", new long[] {rows, width}, a.finalNorm())
                .write(out);
    }
}
