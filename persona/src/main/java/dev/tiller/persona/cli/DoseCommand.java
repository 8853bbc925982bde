package dev.tiller.persona.cli;

import dev.tiller.engine.Amount;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringVector;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.CalibrationRecord;
import dev.tiller.persona.DoseOptions;
import dev.tiller.persona.DoseReport;
import dev.tiller.persona.DoseResponse;
import dev.tiller.persona.Judge;
import dev.tiller.persona.Pole;
import dev.tiller.persona.Prompts;
import dev.tiller.persona.RuleJudge;
import dev.tiller.persona.Trait;
import dev.tiller.persona.VectorFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tiller dose}: what a vector does at a grid of coefficients. */
@Command(
        name = "dose",
        header = "Try a vector at many coefficients and say which are good.",
        description = {
            "Lets the model answer prompts under each coefficient of a grid, all as rows of one batch, beside three"
                    + " baselines: unsteered, prompt-only (the trait's positive instruction as system prompt), and random"
                    + " vectors of the same norm at the same coefficients. Reports trait score and coherence (by the rules of"
                    + " a judge), divergence from the unsteered model, perplexity of the answers under it, and repetition;"
                    + " recommends a range, and marks the coefficient at which the text breaks.",
            "KL: mean over all positions of all answers, and the mean of the worst 5 %% among the first 32 of each. A"
                    + " coefficient is sound with at least 80 %% of the unsteered coherence, at most 0.1 more repetition,"
                    + " fourfold perplexity and --max-kl; the text is broken below half the coherence, or with 0.3 more"
                    + " repetition or twelvefold perplexity. The recommended range ends at the largest gain in the trait"
                    + " among sound coefficients and begins where half of it is reached; a gain counts if it is more than"
                    + " random vectors and chance give."
        },
        footer = {
            "",
            "Examples:",
            "  tiller dose optimistic.safetensors --coefficients -1..1:9 --out report.html",
            "  tiller dose cheerful.safetensors --model MODEL --prompts prompts.txt --coefficients 0.05,0.1,0.2,0.4 --unit"
                    + " norm --block 14 --json"
        })
final class DoseCommand implements Callable<Integer> {
    private final Console console;

    @Parameters(paramLabel = "V", description = "Vector file.")
    private Path file;

    @Option(
            names = "--coefficients",
            paramLabel = "GRID",
            defaultValue = "-1..1:9",
            description = "Numbers and ranges of evenly spaced ones: 0.5,1,2 or -2..2:9 (default: ${DEFAULT-VALUE}).")
    private String coefficients;

    @Option(
            names = "--unit",
            paramLabel = "UNIT",
            defaultValue = "raw",
            description =
                    "What they count: raw (the stored vector), norm (mean residual norms), sd (standard deviations"
                            + " of the natural projection) or kl (nats); the last two after \"tiller calibrate\" (default: raw).")
    private String unit;

    @Option(
            names = "--block",
            paramLabel = "B",
            description = "Where to add it (default: the block that the file suggests, or its only one).")
    private String blockText;

    @Option(
            names = "--prompts",
            paramLabel = "FILE",
            description = "One prompt per line, a JSON list of texts, or a trait file (default: the trait's evaluation"
                    + " questions).")
    private Path promptFile;

    @Option(
            names = "--trait",
            paramLabel = "FILE_OR_NAME",
            description = "Where the positive instruction and the questions come from (default: the vector's trait).")
    private String traitName;

    @Option(
            names = "--instruction",
            paramLabel = "TEXT",
            description = "System prompt of the prompt-only baseline (default: the trait's first positive one).")
    private String instruction;

    @Option(
            names = "--judge",
            paramLabel = "RULES",
            description = "Rules that score the answers (default: those that belong to the trait file, else none).")
    private Path judgeFile;

    @Option(
            names = "--random",
            paramLabel = "N",
            defaultValue = "3",
            converter = ModelOptions.Positive.class,
            description = "Random vectors (default: 3).")
    private int random;

    @Option(
            names = "--max-kl",
            paramLabel = "NATS",
            defaultValue = "2",
            description = "Mean divergence beyond which nothing is recommended (default: 2).")
    private double maxKl;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0.7",
            description = "Of the answers (default: 0.7).")
    private double temperature;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "64",
            converter = ModelOptions.Positive.class,
            description = "Longest answer (default: 64).")
    private int maxTokens;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of everything random (default: 0).")
    private long seed;

    @Option(names = "--out", paramLabel = "FILE", description = "Report to write, one HTML file.")
    private Path out;

    @Option(
            names = "--save-answers",
            paramLabel = "FILE",
            description = "Keep finished answers there (JSON lines); an interrupted run goes on from them.")
    private Path answers;

    @Option(names = "--json", description = "One JSON object instead of a table.")
    private boolean json;

    @Option(names = "--force", description = "Take a vector of another model; its width must fit.")
    private boolean force;

    @Mixin
    private ModelOptions options;

    DoseCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Amount.Unit counted = unit(unit);
        List<Double> grid = DoseOptions.grid(coefficients, "--coefficients");
        if (out != null) {
            OutputFile.check(out, "--out");
        }
        if (answers != null) {
            OutputFile.check(answers, "--save-answers");
        }
        VectorFile vectors = VectorFile.read(file);
        CalibrationRecord.check(vectors);
        if (!vectors.op().equals("add")) {
            throw new TillerException(
                    file + ": is for " + vectors.op() + "; a dose response adds vectors, expected add");
        }
        Path traitFile = traitFile(vectors);
        Trait trait = traitFile == null ? null : Trait.read(traitFile);
        String said = instruction(trait, vectors);
        Judge judge = judge(traitFile);
        List<String> prompts = prompts(trait);
        try (Model model = options.load(console);
                ProgressLine progress = new ProgressLine(console, options.quiet())) {
            SteeringVector vector = force ? vectors.steering().unbound() : vectors.steering();
            DoseOptions dose = new DoseOptions(
                    trait == null ? vectors.name() : trait.name(),
                    vector,
                    block(vectors, model),
                    counted,
                    grid,
                    said,
                    prompts,
                    random,
                    temperature,
                    maxTokens,
                    seed,
                    maxKl);
            DoseReport report = new DoseReport(DoseResponse.run(model, dose, judge, answers, progress));
            if (out != null) {
                report.write(out);
            }
            if (json) {
                console.line(JsonLines.write(report.json()));
            } else {
                report.lines().forEach(l -> console.line(console.visible(l)));
                if (out != null) {
                    console.line("wrote " + out);
                }
            }
        }
        return Main.OK;
    }

    private static Amount.Unit unit(String text) {
        Map<String, Amount.Unit> known =
                Map.of("raw", Amount.Unit.VECTOR, "norm", Amount.Unit.NORM, "sd", Amount.Unit.SD, "kl", Amount.Unit.KL);
        if (!known.containsKey(text)) {
            throw new TillerException("--unit " + text + ": unknown unit; accepted: raw, norm, sd, kl");
        }
        return known.get(text);
    }

    /** The trait that was named, or that of the vector if it is known; null if neither. */
    private Path traitFile(VectorFile vectors) {
        if (traitName != null) {
            return Traits.find(traitName, options.path());
        }
        return Traits.names(options.path()).contains(vectors.name())
                ? Traits.find(vectors.name(), options.path())
                : null;
    }

    private String instruction(Trait trait, VectorFile vectors) {
        if (instruction != null) {
            return instruction;
        }
        if (trait == null) {
            throw new TillerException("the prompt-only baseline needs an instruction: the trait \"" + vectors.name()
                    + "\" is not known here; give --trait FILE or --instruction TEXT");
        }
        return trait.systemPrompt(Pole.POS, 0, null);
    }

    private Judge judge(Path traitFile) {
        if (judgeFile != null) {
            return RuleJudge.read(judgeFile);
        }
        return traitFile == null ? null : Traits.judge(traitFile).orElse(null);
    }

    private List<String> prompts(Trait trait) {
        if (promptFile != null) {
            return Prompts.read(promptFile);
        }
        if (trait == null) {
            throw new TillerException("no prompts: give --prompts FILE, or --trait FILE for its questions");
        }
        List<Integer> held = trait.evaluationQuestions();
        return held.isEmpty()
                ? trait.questions()
                : held.stream().map(trait.questions()::get).toList();
    }

    private int block(VectorFile vectors, Model model) {
        List<Integer> known = vectors.content().blocks();
        String suggested = vectors.metadata().get(ExtractCommand.SUGGESTED_BLOCK);
        if (blockText == null && suggested == null && known.size() > 1) {
            throw new TillerException(
                    file + ": has directions for blocks " + known + " and suggests none; name one with" + " --block");
        }
        String text = blockText != null
                ? blockText
                : suggested != null ? suggested : known.getFirst().toString();
        int block = SteeringArguments.block(text, model, blockText != null ? "--block" : file.toString());
        if (!known.contains(block)) {
            throw new TillerException(
                    "--block " + text + ": " + file + " has no direction for it; it has blocks " + known);
        }
        return block;
    }
}
