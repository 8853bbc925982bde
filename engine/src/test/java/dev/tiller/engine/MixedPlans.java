package dev.tiller.engine;

import dev.tiller.loader.template.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Requests under plans of every kind, for tests of what must not show in their results. */
final class MixedPlans {
    static final String SYSTEM =
            "You are a helpful assistant that answers questions about plans, gardens, animals and long trips abroad.";
    private static final String[] QUESTIONS = {
        "What is the capital of Japan?",
        "How do you see my new garden?",
        "My brother broke his old chair. What should I do?",
        "I have decided on drawing rabbits. What is your forecast? Tell me everything about it, please."
    };

    private MixedPlans() {}

    static ChatPrompt prompt(Model m, int question) {
        return m.chatPrompt(
                List.of(new Message("system", SYSTEM), new Message("user", QUESTIONS[question % QUESTIONS.length])));
    }

    static SteeringVector vector(Model m, long seed, double size) {
        return GeneratorTest.random(m, seed, size);
    }

    /** A condition that holds for about half of all texts. */
    static Condition condition(Model m, long seed, Condition.Measure measure) {
        SplittableRandom r = new SplittableRandom(seed);
        Site site = Site.values()[r.nextInt(3)];
        return new Condition(vector(m, seed, 1), site, r.nextInt(m.spec().blocks()), 0, r.nextBoolean(), measure);
    }

    /** Plan number {@code kind}: 0 none, then one of each kind. */
    static SteeringPlan plan(Model m, int kind, long seed) {
        SteeringVector v = vector(m, seed, 0.3);
        SteeringVector w = vector(m, seed + 1000, 0.3);
        Edit add = Edit.add(v, 0.7f, 2, 5);
        return switch (kind % KINDS) {
            case 0 -> SteeringPlan.NONE;
            case 1 -> SteeringPlan.of(add);
            case 2 -> SteeringPlan.of(Edit.ablate(v).over(Span.ALL));
            case 3 -> SteeringPlan.of(add.over(Span.PROMPT));
            case 4 -> SteeringPlan.of(add.over(new Span.OfRole(Role.USER)));
            case 5 ->
                SteeringPlan.of(
                        add.with().schedule(new Schedule.Decay(0.8f)).build(),
                        Edit.ablate(w).with().schedule(new Schedule.Ramp(6)).build());
            case 6 ->
                SteeringPlan.of(
                        add.with().schedule(new Schedule.First(3)).build(),
                        Edit.add(w, 0.5f, 3)
                                .with()
                                .schedule(new Schedule.After(4))
                                .build());
            case 7 -> SteeringPlan.of(when(add, m, seed, Condition.Measure.PROMPT_LAST, Span.GENERATION));
            case 8 -> SteeringPlan.of(when(add, m, seed, Condition.Measure.PROMPT_MEAN, Span.ALL));
            case 9 ->
                SteeringPlan.of(
                        when(add, m, seed, Condition.Measure.PROMPT_LAST, new Span.OfRole(Role.SYSTEM)),
                        when(Edit.add(w, 0.5f, 1), m, seed + 1, Condition.Measure.PROMPT_MEAN, Span.GENERATION),
                        Edit.add(w, 0.3f, 6).over(new Span.OfRole(Role.ASSISTANT)));
            case 10 -> SteeringPlan.of(onToken(add, m, seed).over(Span.ALL), Edit.clamp(w, -1, 1, 5));
            case 11 ->
                SteeringPlan.of(
                        onToken(add, m, seed)
                                .with()
                                .schedule(new Schedule.Decay(0.9f))
                                .preserveNorm(true)
                                .build(),
                        onToken(Edit.ablate(w, 3, 6), m, seed + 1));
            case 12 ->
                SteeringPlan.of(
                        Edit.rotate(v, w, 25, 4),
                        Edit.replaceMean(w, 0.5f, 2).over(new Span.OfRole(Role.SYSTEM)),
                        Edit.set(v, 1, 6).preservingNorm());
            default -> SteeringPlan.of(Edit.add(matrix(m, seed, 5), 1, 1).over(new Span.Range(3, 8)));
        };
    }

    static final int KINDS = 14;

    static SteeringVector matrix(Model m, long seed, int positions) {
        int d = m.spec().width();
        float[] rows = new float[positions * d];
        for (int i = 0; i < positions; i++) {
            System.arraycopy(vector(m, seed + 77 * i, 0.3).uniform(), 0, rows, i * d, d);
        }
        return SteeringVector.matrix("matrix " + seed, rows, positions);
    }

    private static Edit onToken(Edit e, Model m, long seed) {
        Condition c = new Condition(
                vector(m, seed, 1), Site.RESID_POST, (int) (seed % 3), 0, seed % 2 == 0, Condition.Measure.TOKEN);
        return e.with().when(c).build();
    }

    private static Edit when(Edit e, Model m, long seed, Condition.Measure measure, Span span) {
        return e.with().when(condition(m, seed, measure)).span(span).build();
    }

    /** Requests of every kind, sampled and greedy, short and long, with and without a common beginning. */
    static List<GenerationRequest> requests(Model m, int n, long seed) {
        List<GenerationRequest> out = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            SamplingOptions sampling = i % 3 == 0 ? SamplingOptions.GREEDY : new SamplingOptions(1, 50, 0.95, 0, 1.1);
            out.add(new GenerationRequest(
                    prompt(m, i / 3), plan(m, i, seed + i), sampling, seed + i, 6 + 5 * (i % 4), true));
        }
        return out;
    }
}
