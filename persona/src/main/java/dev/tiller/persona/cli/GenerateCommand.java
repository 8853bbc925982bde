package dev.tiller.persona.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tiller.engine.ChatPrompt;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Generator;
import dev.tiller.engine.Model;
import dev.tiller.engine.Probe;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.TokenSink;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.GenerationConfig;
import dev.tiller.loader.Timeline;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller generate}: continues one text, steered or not. */
@Command(
        name = "generate",
        addMethodSubcommands = false,
        header = "Continue a text, steered or not.",
        description = "Continues a text and streams what comes; with --json one line {\"ids\", \"text\", \"steering\"}:"
                + " the new tokens and the steering that was applied.",
        footer = {
            "",
            "Examples:",
            "  tiller generate --prompt \"The capital of\" --max-tokens 40",
            "  tiller generate --messages chat.json --temperature 0.7 --seed 3",
            "  tiller generate --messages chat.json --steer optimistic.safetensors:0.5@2",
            "  tiller generate --messages chat.json --watch optimistic.safetensors@2",
            "  tiller generate --model DIR --ids 1,2,3 --temperature 0 --steering plan.json --json"
        })
public class GenerateCommand implements Callable<Integer> {
    private final Console console;

    @ArgGroup(multiplicity = "1")
    private PromptArguments prompt;

    @Mixin
    private SamplingArguments sampling;

    @Mixin
    private SteeringArguments steering;

    @Option(names = "--ignore-eos", description = "Go on after end-of-turn tokens.")
    private boolean ignoreEnd;

    @Option(
            names = "--watch",
            paramLabel = "VECTOR@BLOCK",
            description =
                    "Show the projection of each token on a vector at the output of BLOCK while it streams: as colours"
                            + " on a terminal, their mean at the end; with --json as \"projections\".")
    private String watch;

    @Option(names = "--json", description = "One line for programs instead of streamed text.")
    private boolean json;

    @Mixin
    protected ModelOptions options;

    public GenerateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Timeline.mark("command line read");
        try (Model model = options.load(console)) {
            SteeringPlan plan = steering.plan(model);
            GenerationConfig config = model.checkpoint().generationConfig();
            ChatPrompt chat = prompt.chat(model);
            GenerationRequest request = new GenerationRequest(
                    chat == null ? prompt.tokens(model) : chat.ids(),
                    plan,
                    sampling.resolve(config),
                    sampling.seed(),
                    sampling.maxTokens(config),
                    ignoreEnd,
                    chat);
            Probe probe = watch == null ? null : SteeringArguments.probe(watch, model);
            options.note(console, sampling.describe(config));
            Timeline.mark("prompt tokens known");
            if (json) {
                writeJson(run(model, request, probe, TokenSink.NONE));
            } else {
                stream(model, request, probe);
            }
            generated(model);
        }
        return Main.OK;
    }

    /** Called when all is generated, while the model is still open. */
    protected void generated(Model model) {}

    private void writeJson(Generation generation) {
        JsonObject o = new JsonObject();
        o.add("ids", JsonLines.array(generation.ids()));
        o.addProperty("text", generation.text());
        if (generation.projections() != null) {
            JsonArray projections = new JsonArray();
            for (float[] p : generation.projections()) {
                projections.add(Float.isNaN(p[0]) ? JsonNull.INSTANCE : new JsonPrimitive(p[0]));
            }
            o.add("projections", projections);
        }
        if (!generation.applied().edits().isEmpty()) {
            o.add("steering", generation.applied().toJson());
            SteeringArguments.noteIdle(generation.applied(), line -> options.note(console, line));
        }
        console.line(JsonLines.write(o));
    }

    private static Generation run(Model model, GenerationRequest request, Probe probe, TokenSink sink) {
        List<Probe> probes = probe == null ? List.of() : List.of(probe);
        return new Generator(model, probes, sink).run(List.of(request)).getFirst();
    }

    private void stream(Model model, GenerationRequest request, Probe probe) {
        TokenColours colours = probe == null ? TokenColours.NONE : TokenColours.of(console);
        double scale = probe == null ? 1 : Vectors.norm(probe.direction());
        TokenSink sink = (index, id, text, projections) -> {
            String piece = console.visible(model.hasTokenizer() ? text : id + " ");
            console.out().print(projections == null ? piece : colours.paint(piece, projections[0] / scale));
            console.out().flush();
            Timeline.mark("token " + index);
            return true;
        };
        long start = System.nanoTime();
        Generation done = run(model, request, probe, sink);
        double seconds = (System.nanoTime() - start) / 1e9;
        console.line("");
        options.note(
                console,
                String.format(
                        Locale.ROOT,
                        "%d prompt tokens, %d new in %.2f s; %s",
                        done.promptTokens(),
                        done.ids().length,
                        seconds,
                        ending(done)));
        if (probe != null) {
            options.note(console, mean(done, scale));
        }
        SteeringArguments.noteIdle(done.applied(), line -> options.note(console, line));
    }

    private static String mean(Generation done, double scale) {
        double mean = Arrays.stream(done.projections())
                .mapToDouble(p -> p[0])
                .filter(Double::isFinite)
                .average()
                .orElse(Double.NaN);
        return String.format(
                Locale.ROOT,
                "projection: mean %.2f, that is %.2f of the vector's length (full colour at 1)",
                mean,
                mean / scale);
    }

    /** Why an answer ended, in words. */
    static String ending(Generation done) {
        return switch (done.finish()) {
            case STOP -> "the model ended its answer";
            case LENGTH -> "cut at --max-tokens";
            case CONTEXT -> "the model's context is full";
            case CANCELLED -> "stopped";
        };
    }
}
