package dev.tiller.persona.cli;

import dev.tiller.engine.Model;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.Extraction;
import dev.tiller.persona.ExtractionOptions;
import dev.tiller.persona.Judge;
import dev.tiller.persona.PersonaVector;
import dev.tiller.persona.Pole;
import dev.tiller.persona.Rollout;
import dev.tiller.persona.RolloutOptions;
import dev.tiller.persona.Rollouts;
import dev.tiller.persona.RuleJudge;
import dev.tiller.persona.Trait;
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
                        + " finished answers from two CSV files) and takes the difference of the mean residuals, block by block.",
        footer = {
            "",
            "Examples:",
            "  tiller extract --trait optimistic --judge models/microworld/judge/optimistic.json --out optimistic.safetensors",
            "  tiller extract --model DIR --trait mytrait.json --questions 5 --max-tokens 60 --out mytrait.safetensors",
            "  tiller extract --model M.gguf --trait cheerful --pos pos.csv --neg neg.csv --out cheerful.safetensors"
        })
final class ExtractCommand implements Callable<Integer> {
    /** Key in a vector file's metadata: the block to steer at if none is named. */
    static final String SUGGESTED_BLOCK = "suggested_block";

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

    @Mixin
    private ModelOptions options;

    ExtractCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        checkArguments();
        ExtractionOptions extraction = new ExtractionOptions(threshold);
        boolean finished = pos != null;
        Trait read = finished ? null : Trait.read(Traits.find(trait, options.path()));
        Judge judge = judgeFile == null ? null : RuleJudge.read(judgeFile);
        String name = finished ? trait : read.name();
        try (Model model = options.load(console);
                ProgressLine progress = new ProgressLine(console, options.quiet())) {
            Map<String, String> extra = new LinkedHashMap<>();
            List<Rollout> positive;
            List<Rollout> negative;
            if (finished) {
                positive = Rollouts.readCsv(pos, name, model);
                negative = Rollouts.readCsv(neg, name, model);
            } else {
                options.note(
                        console,
                        judge == null ? "no judge: every finished answer counts" : "judge: " + judge.describe());
                RolloutOptions rollouts = rolloutOptions(model, read);
                positive = generate(model, read, Pole.POS, rollouts, judge, progress);
                negative = generate(model, read, Pole.NEG, rollouts, judge, progress);
                extra.put("seed", Long.toString(seed));
            }
            PersonaVector vector = Extraction.run(model, name, positive, negative, extraction, progress);
            int block = VectorReport.suggestedBlock(vector);
            extra.put(SUGGESTED_BLOCK, Integer.toString(block));
            VectorFile.write(out, vector, model, extra);
            report(vector, block);
        }
        return Main.OK;
    }

    private void checkArguments() {
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
        Integer models = model.checkpoint().generationConfig().maxNewTokens();
        int tokens = maxTokens != null ? maxTokens : models != null ? models : DEFAULT_TOKENS;
        List<Integer> asked = questions == null
                ? read.extractionQuestions()
                : IntStream.range(0, questions).boxed().toList();
        int used = pairs == null ? read.instructions().size() : pairs;
        return new RolloutOptions(samples, temperature, tokens, seed, asked, used);
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
