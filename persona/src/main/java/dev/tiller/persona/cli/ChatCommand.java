package dev.tiller.persona.cli;

import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Generator;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.loader.GenerationConfig;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import dev.tiller.persona.VectorFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller chat}: a conversation, one line per turn. */
@Command(
        name = "chat",
        addMethodSubcommands = false,
        header = "Talk with a model, steered or not.",
        description =
                "Talks with the model. Each line is a turn; a line that begins with / is a command (/help lists them)."
                        + " Reads from a pipe as well: then only the answers are printed, and the first error ends it.",
        footer = {
            "",
            "Examples:",
            "  tiller chat",
            "  tiller chat --system \"You are an optimistic assistant.\"",
            "  tiller chat --steer optimistic.safetensors:0.5@2",
            "  echo \"Will my plan work?\" | tiller chat --quiet"
        })
final class ChatCommand implements Callable<Integer> {
    private static final List<String> HELP = List.of(
            "/steer VECTOR COEF [BLOCK]  add COEF times a vector at the output of BLOCK (replaces the last one)",
            "/steer off                  no steering",
            "/reset                      forget the conversation",
            "/quit                       end (so does the end of input)");

    private final Console console;
    private final List<Message> history = new ArrayList<>();
    private SteeringPlan plan;
    private int turn;

    @Option(names = "--system", paramLabel = "TEXT", description = "System prompt.")
    private String system;

    @Mixin
    private SamplingArguments sampling;

    @Mixin
    private SteeringArguments steering;

    @Mixin
    private ModelOptions options;

    ChatCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        try (Model model = options.load(console)) {
            plan = steering.plan(model);
            options.note(console, sampling.describe(model.checkpoint().generationConfig()));
            if (console.inIsTerminal()) {
                options.note(console, "/help lists the commands, /quit ends");
            }
            reset();
            BufferedReader in = new BufferedReader(new InputStreamReader(console.in(), StandardCharsets.UTF_8));
            while (true) {
                prompt();
                String line = in.readLine();
                if (line == null || line.strip().equals("/quit")) {
                    if (line == null && console.inIsTerminal()) {
                        console.line("");
                    }
                    return Main.OK;
                }
                take(model, line.strip());
            }
        }
    }

    private void prompt() {
        if (console.inIsTerminal()) {
            console.out().print("> ");
        }
        console.flush();
    }

    private void reset() {
        history.clear();
        turn = 0;
        if (system != null) {
            history.add(new Message("system", system));
        }
    }

    private void take(Model model, String line) {
        try {
            if (line.startsWith("/")) {
                command(model, line);
            } else if (!line.isEmpty()) {
                answer(model, line);
            }
        } catch (TillerException e) {
            if (!console.inIsTerminal()) {
                throw e;
            }
            console.note("tiller: " + ErrorReport.line(e));
        }
    }

    private void command(Model model, String line) {
        String[] words = line.split("\\s+");
        switch (words[0]) {
            case "/help" -> HELP.forEach(console::note);
            case "/reset" -> {
                reset();
                options.note(console, "(conversation forgotten)");
            }
            case "/steer" -> steer(model, words);
            default ->
                throw new TillerException("unknown command " + words[0] + "; accepted: /steer, /reset, /help, /quit");
        }
    }

    private void steer(Model model, String[] words) {
        if (words.length == 2 && words[1].equals("off")) {
            plan = SteeringPlan.NONE;
            options.note(console, "(no steering)");
            return;
        }
        if (words.length < 3 || words.length > 4) {
            throw new TillerException("/steer: expected /steer VECTOR COEF [BLOCK] or /steer off");
        }
        double coefficient = SteeringArguments.coefficient(words[2], "/steer");
        int block = words.length == 4 ? SteeringArguments.block(words[3], model, "/steer") : suggestedBlock(words[1]);
        SteeringPlan next = SteeringArguments.add(words[1], coefficient, block, "/steer", steering.force());
        model.check(next);
        plan = next;
        options.note(console, "(adding " + coefficient + " times " + words[1] + " at block " + block + ")");
    }

    /** The block that the extraction wrote into the vector file. */
    private static int suggestedBlock(String vector) {
        String name = vector.endsWith(".safetensors") ? vector : vector + ".safetensors";
        String block = VectorFile.read(Path.of(name)).metadata().get(ExtractCommand.SUGGESTED_BLOCK);
        if (block == null) {
            throw new TillerException("/steer: " + name + " suggests no block; name one: /steer VECTOR COEF BLOCK");
        }
        return Integer.parseInt(block);
    }

    private void answer(Model model, String text) {
        history.add(new Message("user", text));
        GenerationConfig config = model.checkpoint().generationConfig();
        Generation done;
        try {
            GenerationRequest request = new GenerationRequest(
                    model.chatPrompt(history),
                    plan,
                    sampling.resolve(config),
                    sampling.seed() + turn,
                    sampling.maxTokens(config),
                    false);
            done = new Generator(model, List.of(), (index, id, piece, projections) -> {
                        console.out().print(console.visible(piece));
                        console.out().flush();
                        return true;
                    })
                    .run(List.of(request))
                    .getFirst();
        } catch (TillerException e) {
            history.removeLast();
            throw e;
        }
        turn++;
        history.add(new Message("assistant", done.text()));
        console.line("");
        if (done.finish() != dev.tiller.engine.FinishReason.STOP) {
            options.note(console, "(" + GenerateCommand.ending(done) + ")");
        }
        SteeringArguments.noteIdle(done.applied(), line -> options.note(console, line));
    }
}
