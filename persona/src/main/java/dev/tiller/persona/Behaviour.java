package dev.tiller.persona;

import dev.tiller.engine.FinishReason;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Generator;
import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.TokenSink;
import java.util.ArrayList;
import java.util.List;

/** Measures how much of a behaviour shows after prompts, so that directions can be chosen by what they do. */
public interface Behaviour {
    /** Mean score over the prompts under each plan; more is more of the behaviour. NaN where there was no score. */
    double[] scores(Model model, List<SteeringPlan> plans, List<ContrastPrompts.Prompt> prompts);

    /**
     * A score of that much or more shows the behaviour.
     *
     * @param positive score of prompts that call for it, unsteered
     * @param negative score of prompts that do not
     */
    double shown(double positive, double negative);

    /** Names it, for files. */
    String describe();

    /**
     * log P - log(1 - P) with P the probability that the answer begins with one of some tokens, as published for refusals;
     * shown from even odds on.
     *
     * @param targets beginnings of answers; the first token of each counts
     */
    static Behaviour targetTokens(Model model, List<String> targets) {
        List<Integer> tokens = NextToken.firstTokens(model, targets);
        return new Behaviour() {
            @Override
            public double[] scores(Model m, List<SteeringPlan> plans, List<ContrastPrompts.Prompt> prompts) {
                List<int[]> ids =
                        prompts.stream().map(ContrastPrompts.Prompt::ids).toList();
                return plans.stream()
                        .mapToDouble(plan -> NextToken.logProbabilities(m, ids, plan).stream()
                                .mapToDouble(p -> NextToken.logOdds(p, tokens))
                                .average()
                                .orElse(Double.NaN))
                        .toArray();
            }

            @Override
            public double shown(double positive, double negative) {
                return 0;
            }

            @Override
            public String describe() {
                return "log odds of the first tokens " + tokens + " of " + targets;
            }
        };
    }

    /**
     * The trait score of greedy answers, 0..100; shown from halfway between the unsteered groups on.
     *
     * @param maxTokens longest answer
     */
    static Behaviour judged(Judge judge, int maxTokens) {
        return new Behaviour() {
            @Override
            public double[] scores(Model model, List<SteeringPlan> plans, List<ContrastPrompts.Prompt> prompts) {
                List<GenerationRequest> requests = new ArrayList<>();
                for (SteeringPlan plan : plans) {
                    for (ContrastPrompts.Prompt p : prompts) {
                        requests.add(new GenerationRequest(p.ids(), plan, SamplingOptions.GREEDY, 0, maxTokens, false));
                    }
                }
                List<Generation> answers = new Generator(model, List.of(), TokenSink.NONE).run(requests);
                double[] means = new double[plans.size()];
                for (int i = 0; i < means.length; i++) {
                    means[i] = mean(prompts, answers.subList(i * prompts.size(), (i + 1) * prompts.size()));
                }
                return means;
            }

            private double mean(List<ContrastPrompts.Prompt> prompts, List<Generation> answers) {
                double sum = 0;
                int scored = 0;
                for (int q = 0; q < answers.size(); q++) {
                    Generation g = answers.get(q);
                    Double s = judge.score(prompts.get(q).question(), g.text(), g.finish() == FinishReason.STOP)
                            .trait();
                    sum += s == null ? 0 : s;
                    scored += s == null ? 0 : 1;
                }
                return scored == 0 ? Double.NaN : sum / scored;
            }

            @Override
            public double shown(double positive, double negative) {
                return (positive + negative) / 2;
            }

            @Override
            public String describe() {
                return "trait score of greedy answers of up to " + maxTokens + " tokens by " + judge.describe();
            }
        };
    }
}
