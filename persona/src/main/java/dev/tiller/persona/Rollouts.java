package dev.tiller.persona;

import dev.tiller.engine.FinishReason;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Generator;
import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.TokenSink;
import dev.tiller.loader.template.Message;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Answers of a model under the system prompts of one pole of a trait. Order: question, then instruction pair, then
 * sample, the same for both poles, so that row i of one list belongs to row i of the other.
 */
public final class Rollouts {
    private Rollouts() {}

    /** One answer to draw. */
    private record Slot(int question, int instruction, int sample, String questionText, String prompt) {}

    /** Generates all answers in memory. */
    public static List<Rollout> generate(
            Model model, Trait trait, Pole pole, RolloutOptions options, Judge judge, Progress progress) {
        return generate(model, trait, pole, options, judge, progress, null);
    }

    /**
     * Generates all answers. With a file, each is appended to it as soon as it and those before it are finished; a file
     * that an interrupted run with the same settings left is continued, one with other settings is refused. The
     * settings are kept beside it in {@code <file>.settings.json}.
     *
     * @param judge scores the answers and names the negative pole; null leaves them unjudged
     * @param csv the file, or null
     */
    public static List<Rollout> generate(
            Model model, Trait trait, Pole pole, RolloutOptions options, Judge judge, Progress progress, Path csv) {
        options.check(trait);
        String negName = judge == null ? null : judge.negName().orElse(null);
        List<Slot> slots = slots(model, trait, pole, options, negName);
        String what = pole == Pole.POS ? "answers, positive pole" : "answers, negative pole";
        if (csv == null) {
            Collector collector = new Collector(model, pole, slots, judge, null, new ArrayList<>(), progress, what);
            return collector.run(options);
        }
        try (RolloutJob job = RolloutJob.open(csv, trait, pole, options, judge, model)) {
            List<Rollout> done = job.finished();
            job.checkPrompts(slots.stream().map(Slot::prompt).toList());
            return new Collector(model, pole, slots, judge, job, done, progress, what).run(options);
        }
    }

    private static List<Slot> slots(Model model, Trait trait, Pole pole, RolloutOptions options, String negName) {
        List<Slot> slots = new ArrayList<>();
        for (int q : options.questions()) {
            String question = trait.questions().get(q);
            for (int k = 0; k < options.instructionPairs(); k++) {
                String prompt = model.renderChat(List.of(
                        new Message("system", trait.systemPrompt(pole, k, negName)), new Message("user", question)));
                for (int s = 0; s < options.samples(); s++) {
                    slots.add(new Slot(q, k, s, question, prompt));
                }
            }
        }
        return slots;
    }

    /**
     * Makes a rollout of a text that was answered.
     *
     * @param model its tokenizer splits the text; a text may be one token longer than its context, as generation leaves it
     */
    static Rollout tokenized(
            Model model,
            int question,
            int instruction,
            int sample,
            Pole pole,
            String questionText,
            String prompt,
            String answer,
            boolean ended,
            Scores scores) {
        int promptLength = model.tokenizer().encode(prompt, false).length;
        int[] ids = model.tokenizer().encode(prompt + answer, false);
        int limit = model.spec().maxPositions();
        if (ids.length == limit + 1) {
            // an answer that filled the context: its last token was drawn, but there is no position to run it at
            ids = Arrays.copyOf(ids, limit);
        }
        return new Rollout(
                question, instruction, sample, pole, questionText, prompt, answer, ids, promptLength, ended, scores);
    }

    /** Takes answers as they finish and hands them on in order. */
    private static final class Collector implements TokenSink {
        private final Model model;
        private final Pole pole;
        private final List<Slot> slots;
        private final Judge judge;
        private final RolloutJob job;
        private final List<Rollout> done;
        private final int before;
        private final Generation[] waiting;
        private final Progress progress;
        private final String what;
        private int finished;

        Collector(
                Model model,
                Pole pole,
                List<Slot> slots,
                Judge judge,
                RolloutJob job,
                List<Rollout> done,
                Progress progress,
                String what) {
            this.model = model;
            this.pole = pole;
            this.slots = slots;
            this.judge = judge;
            this.job = job;
            this.done = done;
            this.before = done.size();
            this.waiting = new Generation[slots.size() - before];
            this.progress = progress;
            this.what = what;
        }

        List<Rollout> run(RolloutOptions options) {
            List<GenerationRequest> requests = new ArrayList<>();
            for (Slot s : slots.subList(before, slots.size())) {
                requests.add(new GenerationRequest(
                        model.tokenizer().encode(s.prompt(), false),
                        SteeringPlan.NONE,
                        SamplingOptions.temperature(options.temperature()),
                        Seeds.of(options.seed(), pole.ordinal(), s.question(), s.instruction(), s.sample()),
                        options.maxTokens(),
                        false));
            }
            progress.update(what, before, slots.size());
            new Generator(model, List.of(), this).run(requests);
            return List.copyOf(done);
        }

        @Override
        public boolean token(int request, int id, String text, float[] projections) {
            return true;
        }

        @Override
        public void finished(int request, Generation generation) {
            waiting[request] = generation;
            progress.update(what, before + ++finished, slots.size());
            while (done.size() - before < waiting.length && waiting[done.size() - before] != null) {
                Rollout next = rollout(slots.get(done.size()), waiting[done.size() - before]);
                if (job != null) {
                    job.append(next);
                }
                done.add(next);
            }
        }

        private Rollout rollout(Slot s, Generation g) {
            boolean ended = g.finish() == FinishReason.STOP;
            Scores scores = judge == null ? null : judge.score(s.questionText(), g.text(), ended);
            return tokenized(
                    model,
                    s.question(),
                    s.instruction(),
                    s.sample(),
                    pole,
                    s.questionText(),
                    s.prompt(),
                    g.text(),
                    ended,
                    scores);
        }
    }

    /**
     * Reads finished rollouts: the columns question, prompt, answer, question_id, the trait's name and coherence, in any
     * order; further columns are allowed. An empty score is a missing one. If both score columns are absent the rows are
     * unjudged.
     */
    public static List<Rollout> readCsv(Path csv, String trait, Model model) {
        return RolloutCsv.read(csv, trait, model);
    }

    /**
     * Writes rollouts with the published columns question, prompt, answer, question_id, the trait's name and coherence,
     * then relevance and ended. Unjudged rollouts have no score columns.
     */
    public static void writeCsv(Path csv, String trait, List<Rollout> rollouts) {
        RolloutCsv.write(csv, trait, rollouts);
    }
}
