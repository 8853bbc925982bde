package dev.tiller.persona.cli;

import dev.tiller.engine.Model;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.AnswerLetters;
import dev.tiller.persona.Behaviour;
import dev.tiller.persona.ContrastPrompts;
import dev.tiller.persona.DirectionSelection;
import dev.tiller.persona.ExtractionOptions;
import dev.tiller.persona.Judge;
import dev.tiller.persona.Method;
import dev.tiller.persona.Progress;
import dev.tiller.persona.PromptDifference;
import dev.tiller.persona.Trait;
import dev.tiller.persona.VectorContent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** Which method finds the direction, and what that method needs. */
final class MethodArguments {
    private static final String ALL = "all";

    @Option(
            names = "--method",
            paramLabel = "NAME",
            defaultValue = "mean",
            description =
                    "mean, pca_diff, pca_center, logistic, lda (from answers); caa (A/B questions); actadd (two prompts);"
                            + " refusal (chosen by effect); all: compare them, one file each (default: mean).")
    private String name;

    @Option(
            names = "--c",
            paramLabel = "C",
            description = "logistic: weight of the answers against the penalty (default: 1).")
    private Double c;

    @Option(
            names = "--shrinkage",
            paramLabel = "G",
            description = "lda: shrinkage of the covariance, 0 to 1 (default: estimated).")
    private Double shrinkage;

    @Option(
            names = "--ab-questions",
            paramLabel = "FILE",
            description =
                    "caa: questions as JSON or JSON lines (question, answer_matching_behavior, answer_not_matching_behavior).")
    private Path questions;

    @Option(
            names = "--prompt-pair",
            arity = "2",
            paramLabel = "TEXT",
            description = "actadd: the prompt that shows what is wanted, and its counterpart (a space will do).")
    private List<String> pair = new ArrayList<>();

    @Option(names = "--pad", paramLabel = "ID", description = "actadd: token that fills up the shorter prompt.")
    private Integer pad;

    @Option(
            names = "--targets",
            split = ",",
            paramLabel = "TEXT",
            description = "refusal: beginnings of answers that show the behaviour (default: --judge decides).")
    private List<String> targets = new ArrayList<>();

    @Option(
            names = "--prompts",
            paramLabel = "FILE",
            description =
                    "refusal: what users ask, JSON with the lists positive and negative (default: the trait's questions"
                            + " with and without its instructions).")
    private Path prompts;

    @Option(
            names = "--candidates",
            paramLabel = "FILE",
            description = "refusal: write all candidates and their effects as JSON.")
    private Path candidates;

    /** True for a comparison of all methods. */
    boolean all() {
        return name.equals(ALL);
    }

    Method method() {
        try {
            return Method.of(name, "--method");
        } catch (TillerException e) {
            throw new TillerException(e.getMessage() + ", " + ALL, e);
        }
    }

    /** Options for answers; the difference of means where the method is another kind of thing. */
    ExtractionOptions extraction(double threshold) {
        Method m = all() || !method().fromAnswers() ? Method.MEAN : method();
        return new ExtractionOptions(threshold, m, c == null ? 1 : c, shrinkage == null ? Double.NaN : shrinkage);
    }

    boolean hasQuestions() {
        return questions != null;
    }

    boolean hasPair() {
        return !pair.isEmpty();
    }

    boolean hasBehaviour(Judge judge) {
        return judge != null || !targets.isEmpty();
    }

    /** Refuses what does not go with the method. */
    void check() {
        Method m = all() ? null : method();
        only(c != null, "--c", m, Method.LOGISTIC);
        only(shrinkage != null, "--shrinkage", m, Method.LDA);
        only(questions != null, "--ab-questions", m, Method.CAA);
        only(hasPair(), "--prompt-pair", m, Method.ACTADD);
        only(pad != null, "--pad", m, Method.ACTADD);
        only(!targets.isEmpty(), "--targets", m, Method.REFUSAL);
        only(prompts != null, "--prompts", m, Method.REFUSAL);
        only(candidates != null, "--candidates", m, Method.REFUSAL);
        needed(m == Method.CAA && questions == null, m, "--ab-questions FILE");
        needed(m == Method.ACTADD && !hasPair(), m, "--prompt-pair TEXT TEXT");
        if (candidates != null) {
            OutputFile.check(candidates, "--candidates");
        }
        extraction(0);
    }

    private static void only(boolean given, String option, Method found, Method expected) {
        if (given && found != null && found != expected) {
            throw new TillerException(
                    option + ": goes with --method " + expected.key() + " or all, found --method " + found.key());
        }
    }

    private static void needed(boolean missing, Method m, String option) {
        if (missing) {
            throw new TillerException("--method " + m.key() + ": needs " + option);
        }
    }

    VectorContent answerLetters(Model model, String trait, Progress progress) {
        return AnswerLetters.run(model, trait, AnswerLetters.read(questions), progress);
    }

    VectorContent promptDifference(Model model, String trait) {
        int padding = pad == null ? PromptDifference.padding(model) : pad;
        if (padding < 0 || padding >= model.spec().vocabulary()) {
            throw new TillerException("--pad " + padding + ": the model has tokens 0.."
                    + (model.spec().vocabulary() - 1));
        }
        return PromptDifference.run(model, trait, pair.get(0), pair.get(1), padding);
    }

    /** Tries all candidates; the table goes into the file of --candidates if it was asked for. */
    DirectionSelection selection(Model model, String trait, Trait read, Judge judge, int maxTokens, Progress progress) {
        if (!hasBehaviour(judge)) {
            throw new TillerException(
                    "--method refusal: needs --judge RULES or --targets TEXT,... to tell whether the behaviour shows");
        }
        ContrastPrompts asked =
                prompts != null ? ContrastPrompts.read(prompts, model) : ContrastPrompts.of(model, read);
        Behaviour behaviour =
                targets.isEmpty() ? Behaviour.judged(judge, maxTokens) : Behaviour.targetTokens(model, targets);
        DirectionSelection selection = DirectionSelection.run(model, trait, asked, behaviour, progress);
        if (candidates != null) {
            try {
                Files.writeString(candidates, selection.json() + "\n");
            } catch (IOException e) {
                throw new TillerException("--candidates " + candidates + ": " + Messages.reason(e), e);
            }
        }
        return selection;
    }

    /** True if the prompts of the selection come from a file, so that no trait file is needed. */
    boolean ownPrompts() {
        return prompts != null;
    }
}
