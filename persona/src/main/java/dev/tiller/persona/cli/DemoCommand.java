package dev.tiller.persona.cli;

import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.Extraction;
import dev.tiller.persona.ExtractionOptions;
import dev.tiller.persona.Judge;
import dev.tiller.persona.LayerSweep;
import dev.tiller.persona.PersonaVector;
import dev.tiller.persona.Pole;
import dev.tiller.persona.RolloutOptions;
import dev.tiller.persona.Rollouts;
import dev.tiller.persona.SweepCell;
import dev.tiller.persona.Trait;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller demo}: from a trait's description to a model whose character changes, in one run. */
@Command(
        name = "demo",
        header = "Find a persona vector and steer with it.",
        description =
                "Finds a persona vector and steers with it: the model answers under instructions for and against a"
                        + " trait, the difference of its inner states becomes a direction, and adding or subtracting that direction"
                        + " changes its answers without any instruction.",
        footer = {
            "",
            "Examples:",
            "  tiller demo",
            "  tiller demo --trait evil",
            "  tiller demo --model SmolLM2-135M-Instruct.Q4_1.gguf",
            "  tiller demo --trait mytrait.json --model DIR --block 12 --coefficient 2"
        })
final class DemoCommand implements Callable<Integer> {
    /** Share of the mean residual length that the demo adds where no judge can tell how much is right. */
    private static final double UNJUDGED_STRENGTH = 0.25;

    private static final double JUDGED_COEFFICIENT = 0.5;

    /** Without a judge the model is taken for a large one: fewer and shorter answers. */
    private static final int UNJUDGED_QUESTIONS = 5;

    private static final int UNJUDGED_TOKENS = 40;
    private static final int ANSWER_TOKENS = 96;
    private static final double JUDGED_TEMPERATURE = 0.7;

    private final Console console;

    @Option(
            names = "--trait",
            paramLabel = "NAME",
            description = "A bundled trait or a trait file (default: optimistic for the bundled model, else cheerful).")
    private String traitName;

    @Option(
            names = "--question",
            paramLabel = "TEXT",
            description =
                    "What to ask (default: a question that was not used to find the direction, with a judge the one of"
                            + " upper-quartile effect).")
    private String question;

    @Option(names = "--block", paramLabel = "B", description = "Steer at the output of this block (default: the best).")
    private String blockText;

    @Option(
            names = "--coefficient",
            paramLabel = "C",
            description = "How much of the direction to add (default: 0.5"
                    + " with a judge, else what moves the residual by about a quarter of its length).")
    private Double coefficient;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of all sampling (default: 0).")
    private long seed;

    @Option(
            names = "--color",
            paramLabel = "WHEN",
            defaultValue = "auto",
            description = "auto, always or never: colour the"
                    + " tokens by projection (default: auto, if a terminal shows them).")
    private ColourChoice colour;

    @Mixin
    private ModelOptions options;

    /** When tokens are coloured. */
    enum ColourChoice {
        AUTO,
        ALWAYS,
        NEVER
    }

    DemoCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        long start = System.nanoTime();
        if (coefficient != null && !(Double.isFinite(coefficient) && coefficient > 0)) {
            throw new TillerException(
                    "--coefficient: expected a number above 0 (the demo shows both signs), found " + coefficient);
        }
        Path path = options.path();
        Path traitFile = traitName == null ? Traits.preferred(path) : Traits.find(traitName, path);
        Trait trait = Trait.read(traitFile);
        Judge judge = Traits.judge(traitFile).orElse(null);
        try (Model model = options.load(console);
                ProgressLine progress = new ProgressLine(console, options.quiet())) {
            Integer given = blockText == null ? null : SteeringArguments.block(blockText, model, "--block");
            PersonaVector vector = find(model, trait, judge, progress);
            int block;
            double c;
            if (judge != null) {
                c = coefficient != null ? coefficient : JUDGED_COEFFICIENT;
                block = sweep(model, vector, trait, judge, given, c, progress);
            } else {
                block = given != null ? given : VectorReport.suggestedBlock(vector);
                c = coefficient != null
                        ? coefficient
                        : rounded(UNJUDGED_STRENGTH / VectorReport.relativeNorm(vector, block));
                console.out().println("\nHow well each block's direction tells the two kinds of answers apart:");
                VectorReport.table(vector, block).forEach(l -> console.out().println("  " + l));
                console.out()
                        .println(
                                "  No judge is there to score steered answers, so the block is the best separating one of the"
                                        + " middle half.");
            }
            show(model, vector, trait, judge, block, c, progress);
            closing(path, trait, judge, block, c, (System.nanoTime() - start) / 1e9);
        }
        return Main.OK;
    }

    private PersonaVector find(Model model, Trait trait, Judge judge, ProgressLine progress) {
        List<Integer> asked = trait.extractionQuestions();
        RolloutOptions rollouts = judge != null
                ? RolloutOptions.of(trait, ANSWER_TOKENS, seed)
                : new RolloutOptions(
                        1,
                        1,
                        UNJUDGED_TOKENS,
                        seed,
                        asked.subList(0, Math.min(UNJUDGED_QUESTIONS, asked.size())),
                        trait.instructions().size());
        console.out()
                .println("Looking for \"" + trait.name() + "\": "
                        + rollouts.questions().size() + " questions, " + rollouts.instructionPairs()
                        + " pairs of opposite instructions, for example");
        console.out().println("  + " + trait.instructions().getFirst().pos());
        console.out().println("  - " + trait.instructions().getFirst().neg());
        console.flush();
        PersonaVector vector = Extraction.run(
                model,
                trait.name(),
                Rollouts.generate(model, trait, Pole.POS, rollouts, judge, progress),
                Rollouts.generate(model, trait, Pole.NEG, rollouts, judge, progress),
                ExtractionOptions.DEFAULT,
                progress);
        console.out().println("  " + VectorReport.kept(vector) + ".");
        console.out()
                .println(
                        "  The direction at a block is the mean residual of the + answers minus that of the - answers.");
        console.flush();
        return vector;
    }

    /** Steers at every block and prints what the judge says. Returns the block to use. */
    private int sweep(
            Model model,
            PersonaVector vector,
            Trait trait,
            Judge judge,
            Integer given,
            double c,
            ProgressLine progress) {
        List<Integer> blocks = IntStream.range(0, vector.blocks()).boxed().toList();
        List<Double> coefficients = List.of(-c, 0.0, c);
        List<String> questions = heldOut(trait);
        List<SweepCell> cells = LayerSweep.run(
                model,
                vector.steering(),
                questions,
                judge,
                blocks,
                coefficients,
                SamplingOptions.temperature(JUDGED_TEMPERATURE),
                ANSWER_TOKENS,
                seed,
                progress);
        int best = given != null ? given : LayerSweep.bestBlock(cells);
        console.out()
                .println("\nSteering " + questions.size()
                        + " other questions, no instruction, one block at a time. Score of \"" + trait.name()
                        + "\" / coherence, 0..100:");
        StringBuilder head = new StringBuilder("  block");
        coefficients.forEach(k -> head.append(String.format(Locale.ROOT, "   %14s", coefficientText(k))));
        console.out().println(head);
        for (int b : blocks) {
            StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "  %5d", b));
            for (double k : coefficients) {
                SweepCell cell = cells.stream()
                        .filter(x -> x.block() == b && x.coefficient() == k)
                        .findFirst()
                        .orElseThrow();
                line.append(String.format(Locale.ROOT, "   %6.1f / %5.1f", cell.trait(), cell.coherence()));
            }
            console.out().println(line + (b == best ? "  <- used below" : ""));
        }
        console.flush();
        return best;
    }

    private void show(
            Model model, PersonaVector vector, Trait trait, Judge judge, int block, double c, ProgressLine progress) {
        TokenColours colours = switch (colour) {
            case AUTO -> TokenColours.of(console);
            case ALWAYS -> TokenColours.TRUE;
            case NEVER -> TokenColours.NONE;
        };
        PersonaVector random = vector.randomLike(seed + 1);
        DemoAnswers answers = new DemoAnswers(console, colours, model, vector, random, block);
        int tokens = judge != null ? ANSWER_TOKENS : UNJUDGED_TOKENS * 2;
        if (question != null) {
            answers.show("Your question", question, c, judge, tokens);
        } else if (judge != null) {
            String telling = answers.telling(heldOut(trait), c, judge, tokens);
            answers.show("A question with a large effect (upper quartile of these)", telling, c, judge, tokens);
        } else {
            answers.show("A new question", heldOut(trait).getFirst(), c, null, tokens);
        }
        if (judge != null) {
            SweepCell control = LayerSweep.run(
                            model,
                            random.steering(),
                            heldOut(trait),
                            judge,
                            List.of(block),
                            List.of(c),
                            SamplingOptions.temperature(JUDGED_TEMPERATURE),
                            ANSWER_TOKENS,
                            seed,
                            progress)
                    .getFirst();
            console.out()
                    .printf(
                            Locale.ROOT,
                            "Control: a random direction of the same length, same block, %s: score %.1f / coherence %.1f.%n",
                            coefficientText(c),
                            control.trait(),
                            control.coherence());
        }
    }

    /** Questions that the extraction did not see; all if there are no others. */
    private static List<String> heldOut(Trait trait) {
        List<Integer> other = trait.evaluationQuestions();
        return other.isEmpty()
                ? trait.questions()
                : other.stream().map(trait.questions()::get).toList();
    }

    private void closing(Path path, Trait trait, Judge judge, int block, double c, double seconds) throws IOException {
        if (judge != null) {
            ModelCard.steerability(path)
                    .ifPresent(s -> console.out().println("\nFrom the model's card: \"" + s + "\""));
        }
        String model = options.isBundled() ? "" : " --model " + shown(path);
        String name = trait.name();
        String rules =
                judge == null ? "" : " --judge " + shown(path.resolve("judge").resolve(name + ".json"));
        List<String> others =
                Traits.names(path).stream().filter(n -> !n.equals(name)).toList();
        console.out().printf(Locale.ROOT, "%nThat took %.1f s. To go on:%n", seconds);
        console.out()
                .println("  tiller extract" + model + " --trait " + (traitName != null ? traitName : name) + rules
                        + " --out " + name + ".safetensors");
        console.out().println("  tiller chat" + model + " --steer " + name + ".safetensors:" + number(c) + "@" + block);
        if (!others.isEmpty()) {
            console.out()
                    .println("  tiller demo" + model + " --trait " + others.getFirst()
                            + (others.size() > 1
                                    ? "   (or: " + String.join(", ", others.subList(1, others.size())) + ")"
                                    : ""));
        }
        console.flush();
    }

    /** A path as one would type it here. */
    private static String shown(Path path) {
        Path here = Path.of("").toAbsolutePath();
        Path full = path.toAbsolutePath().normalize();
        String text = full.startsWith(here) ? here.relativize(full).toString() : full.toString();
        return text.contains(" ") ? "'" + text + "'" : text;
    }

    static String coefficientText(double c) {
        return c == 0 ? "unsteered" : (c > 0 ? "+" : "") + number(c);
    }

    private static String number(double c) {
        return c == Math.rint(c) ? Long.toString((long) c) : Double.toString(c);
    }

    /** Two significant digits. */
    private static double rounded(double c) {
        return new java.math.BigDecimal(c).round(new java.math.MathContext(2)).doubleValue();
    }
}
