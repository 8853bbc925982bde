package dev.tiller.persona.cli;

import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.AnswerResiduals;
import dev.tiller.persona.DirectionSelection;
import dev.tiller.persona.ExtractionOptions;
import dev.tiller.persona.Judge;
import dev.tiller.persona.Method;
import dev.tiller.persona.MethodComparison;
import dev.tiller.persona.PersonaVector;
import dev.tiller.persona.Pole;
import dev.tiller.persona.Rollout;
import dev.tiller.persona.RolloutOptions;
import dev.tiller.persona.Rollouts;
import dev.tiller.persona.RuleJudge;
import dev.tiller.persona.Trait;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller extract}: from a trait to a vector file. */
@Command(
        name = "extract",
        header = "Find the direction of a trait and write a vector file.",
        description =
                "Finds the direction of a trait: lets the model answer under instructions for and against it (or reads"
                        + " finished answers from two CSV files) and takes the difference of the mean residuals, block by block."
                        + " Other methods: --method.",
        footer = {
            "",
            "Examples:",
            "  tiller extract --trait optimistic --judge models/microworld/judge/optimistic.json --out optimistic.safetensors",
            "  tiller extract --model DIR --trait mytrait.json --questions 5 --max-tokens 60 --out mytrait.safetensors",
            "  tiller extract --model M.gguf --trait cheerful --pos pos.csv --neg neg.csv --out cheerful.safetensors",
            "  tiller extract --trait optimistic --judge RULES --method all --out optimistic.safetensors"
        })
final class ExtractCommand implements Callable<Integer> {
    /** Key in a vector file's metadata: the block to steer at if none is named. */
    static final String SUGGESTED_BLOCK = "suggested_block";

    private static final double DISPLACEMENT = 0.5;
    private static final int DEFAULT_TOKENS = 128;

    private final Console console;

    @Option(
            names = "--trait",
            required = true,
            paramLabel = "FILE_OR_NAME",
            description =
                    "Trait file (JSON: instruction, questions), or the name of a bundled one. With --pos and --neg: the"
                            + " name of the score column.")
    private String trait;

    @Option(names = "--judge", paramLabel = "RULES", description = "Rules that score the answers (default: none).")
    private Path judgeFile;

    @Option(names = "--pos", paramLabel = "CSV", description = "Finished answers under the positive instructions.")
    private Path pos;

    @Option(names = "--neg", paramLabel = "CSV", description = "Finished answers under the negative instructions.")
    private Path neg;

    @Option(
            names = "--threshold",
            paramLabel = "N",
            defaultValue = "50",
            description =
                    "A pair counts if the positive answer scores at least N and the negative one less than 100 - N"
                            + " (default: 50).")
    private double threshold;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "Vector file to write (.safetensors).")
    private Path out;

    @Option(
            names = "--questions",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Ask the first N questions (default: 20, or all if there are fewer).")
    private Integer questions;

    @Option(
            names = "--pairs",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Use the first N instruction pairs (default: all).")
    private Integer pairs;

    @Option(
            names = "--samples",
            paramLabel = "N",
            defaultValue = "1",
            converter = ModelOptions.Positive.class,
            description = "Answers to each prompt (default: 1).")
    private int samples;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Longest answer (default: as the model says, else " + DEFAULT_TOKENS + ").")
    private Integer maxTokens;

    @Option(names = "--temperature", paramLabel = "T", defaultValue = "1", description = "Of the answers (default: 1).")
    private double temperature;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of the answers (default: 0).")
    private long seed;

    @Option(
            names = "--save-rollouts",
            paramLabel = "DIR",
            description =
                    "Keep the answers there as NAME_pos_instruct.csv and NAME_neg_instruct.csv; an interrupted run goes"
                            + " on from them.")
    private Path saveRollouts;

    @Option(
            names = "--displacement",
            paramLabel = "X",
            description = "--method all: how far to steer, in lengths of the difference of means (default: 0.5).")
    private Double displacement;

    @Mixin
    private MethodArguments methods;

    @Mixin
    private ModelOptions options;

    ExtractCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        checkArguments();
        try (Model model = options.load(console);
                ProgressLine progress = new ProgressLine(console, options.quiet())) {
            if (!methods.all() && !methods.method().fromAnswers()) {
                fromPrompts(model, progress);
            } else {
                fromAnswers(model, progress);
            }
        }
        return Main.OK;
    }

    private void fromAnswers(Model model, ProgressLine progress) {
        boolean finished = pos != null;
        Trait read = finished ? null : Trait.read(Traits.find(trait, options.path()));
        Judge judge = judge();
        String name = finished ? trait : read.name();
        Map<String, String> extra = new LinkedHashMap<>();
        List<Rollout> positive;
        List<Rollout> negative;
        if (finished) {
            positive = Rollouts.readCsv(pos, name, model);
            negative = Rollouts.readCsv(neg, name, model);
        } else {
            options.note(
                    console, judge == null ? "no judge: every finished answer counts" : "judge: " + judge.describe());
            RolloutOptions rollouts = rolloutOptions(model, read);
            positive = generate(model, read, Pole.POS, rollouts, judge, progress);
            negative = generate(model, read, Pole.NEG, rollouts, judge, progress);
            extra.put("seed", Long.toString(seed));
        }
        ExtractionOptions extraction = methods.extraction(threshold);
        AnswerResiduals answers = AnswerResiduals.of(model, name, positive, negative, threshold, progress);
        PersonaVector vector = answers.vector(extraction);
        int block = VectorReport.suggestedBlock(vector);
        extra.put(SUGGESTED_BLOCK, Integer.toString(block));
        if (methods.all()) {
            compare(model, read, judge, answers, block, extra, progress);
        } else {
            VectorFile.write(out, vector, model, extra);
            report(vector, block);
        }
    }

    private Judge judge() {
        return judgeFile == null ? null : RuleJudge.read(judgeFile);
    }

    /** Methods that need no answers. */
    private void fromPrompts(Model model, ProgressLine progress) {
        List<String> lines = List.of();
        VectorContent found;
        switch (methods.method()) {
            case CAA -> found = methods.answerLetters(model, trait, progress);
            case ACTADD -> found = methods.promptDifference(model, trait);
            default -> {
                Trait read = methods.ownPrompts() ? null : Trait.read(Traits.find(trait, options.path()));
                String name = read == null ? trait : read.name();
                DirectionSelection selection = methods.selection(model, name, read, judge(), tokens(model), progress);
                lines = MethodReport.candidates(selection);
                lines.forEach(console.out()::println);
                console.flush();
                found = selection.content(selection.chosen());
            }
        }
        VectorFile.write(out, found);
        if (lines.isEmpty()) {
            VectorTable.lines(out, found).forEach(console.out()::println);
        }
        console.out().println("wrote " + out);
        console.flush();
    }

    /** All methods on the same answers, each into its own file beside the one named. */
    private void compare(
            Model model,
            Trait read,
            Judge judge,
            AnswerResiduals answers,
            int block,
            Map<String, String> extra,
            ProgressLine progress) {
        MethodComparison comparison = new MethodComparison(
                model,
                answers,
                methods.extraction(threshold),
                block,
                displacement == null ? DISPLACEMENT : displacement);
        comparison.vectors().forEach((m, v) -> VectorFile.write(beside(m), v, model, extra));
        String name = read == null ? trait : read.name();
        if (methods.hasQuestions()) {
            VectorContent v = methods.answerLetters(model, name, progress);
            comparison.add(Method.CAA, v);
            VectorFile.write(beside(Method.CAA), v);
        }
        if (methods.hasPair()) {
            VectorContent v = methods.promptDifference(model, name);
            comparison.addMatrix(Method.ACTADD, v);
            VectorFile.write(beside(Method.ACTADD), v);
        }
        if (methods.hasBehaviour(judge) && (read != null || methods.ownPrompts())) {
            DirectionSelection selection = methods.selection(model, name, read, judge, tokens(model), progress);
            MethodReport.candidates(selection).forEach(console.out()::println);
            if (selection.candidates().stream().anyMatch(c -> c.dropped() == null)) {
                DirectionSelection.Candidate c = selection.chosen();
                comparison.add(Method.REFUSAL, selection.direction(c), c.layer());
                VectorFile.write(beside(Method.REFUSAL), selection.content(c));
            }
        }
        List<MethodComparison.Row> rows = comparison.rows();
        if (judge != null && read != null) {
            List<Integer> asked =
                    read.evaluationQuestions().isEmpty() ? read.extractionQuestions() : read.evaluationQuestions();
            List<String> questionTexts =
                    asked.stream().map(read.questions()::get).toList();
            SamplingOptions sampling = SamplingOptions.temperature(temperature);
            rows = comparison.steered(questionTexts, judge, sampling, tokens(model), seed, progress);
        }
        MethodReport.methods(rows).forEach(console.out()::println);
        console.flush();
    }

    /** FILE.safetensors becomes FILE.METHOD.safetensors. */
    private Path beside(Method m) {
        String file = out.getFileName().toString();
        int dot = file.lastIndexOf('.');
        String stem = dot > 0 ? file.substring(0, dot) : file;
        return out.resolveSibling(stem + "." + m.key() + ".safetensors");
    }

    private int tokens(Model model) {
        Integer models = model.checkpoint().generationConfig().maxNewTokens();
        return maxTokens != null ? maxTokens : models != null ? models : DEFAULT_TOKENS;
    }

    private void checkArguments() {
        methods.check();
        boolean noAnswers = !methods.all() && !methods.method().fromAnswers();
        if (noAnswers && (pos != null || neg != null || saveRollouts != null)) {
            throw new TillerException("--method " + methods.method().key()
                    + ": draws no answers; --pos, --neg and --save-rollouts do not go with it");
        }
        if (displacement != null && !methods.all()) {
            throw new TillerException("--displacement: goes with --method all, found --method "
                    + methods.method().key());
        }
        if (displacement != null && !(displacement > 0 && displacement < Double.POSITIVE_INFINITY)) {
            throw new TillerException("--displacement: expected a number above 0, found " + displacement);
        }
        if ((pos == null) != (neg == null)) {
            throw new TillerException("--pos and --neg belong together: one is missing");
        }
        if (pos != null && (judgeFile != null || saveRollouts != null)) {
            throw new TillerException(
                    "--pos and --neg are finished answers: --judge and --save-rollouts do not go with them");
        }
        OutputFile.check(out, "--out");
        if (saveRollouts != null) {
            OutputFile.checkFolder(saveRollouts, "--save-rollouts");
        }
    }

    private RolloutOptions rolloutOptions(Model model, Trait read) {
        List<Integer> asked = questions == null
                ? read.extractionQuestions()
                : IntStream.range(0, questions).boxed().toList();
        int used = pairs == null ? read.instructions().size() : pairs;
        return new RolloutOptions(samples, temperature, tokens(model), seed, asked, used);
    }

    private List<Rollout> generate(
            Model model, Trait read, Pole pole, RolloutOptions rollouts, Judge judge, ProgressLine progress) {
        Path csv = saveRollouts == null ? null : saveRollouts.resolve(read.name() + "_" + pole.key() + "_instruct.csv");
        return Rollouts.generate(model, read, pole, rollouts, judge, progress, csv);
    }

    private void report(PersonaVector vector, int block) {
        console.out().println(VectorReport.kept(vector));
        VectorReport.table(vector, block).forEach(console.out()::println);
        console.out()
                .println("wrote " + out + "; block " + block + " tells the poles apart best among the middle ones");
        console.flush();
    }
}
