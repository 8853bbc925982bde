package dev.tiller.persona;

import dev.tiller.engine.Model;
import dev.tiller.engine.Sequence;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.Step;
import dev.tiller.kernels.Buffer;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;

/** Distributions of the token that follows a prompt, in double. */
final class NextToken {
    private NextToken() {}

    /** [prompts][V] natural logarithms of the probabilities after each prompt, under a plan. */
    static List<double[]> logProbabilities(Model model, List<int[]> prompts, SteeringPlan plan) {
        List<double[]> out = new ArrayList<>();
        int room = model.backend().rowsPerStep();
        int v = model.spec().vocabulary();
        for (int[] ids : prompts) {
            Step step = model.newStep();
            try (Sequence s = model.newSequence(plan, ids.length)) {
                Buffer logits = null;
                for (int at = 0; at < ids.length; ) {
                    int to = Math.min(ids.length, at + room);
                    step.clear();
                    step.add(s, ids, at, to, to == ids.length ? Step.Logits.LAST : Step.Logits.NONE);
                    logits = model.forward(step);
                    at = to;
                }
                float[] row = new float[v];
                model.backend().read(logits, 0, 1, row, 0);
                out.add(logSoftmax(row));
            }
        }
        return out;
    }

    static double[] logSoftmax(float[] logits) {
        double most = Double.NEGATIVE_INFINITY;
        for (float x : logits) {
            most = Math.max(most, x);
        }
        double sum = 0;
        for (float x : logits) {
            sum += Math.exp(x - most);
        }
        double norm = most + Math.log(sum);
        double[] out = new double[logits.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = logits[i] - norm;
        }
        return out;
    }

    /** sum_i p_i (log p_i - log q_i), in nats. */
    static double divergence(double[] logP, double[] logQ) {
        double sum = 0;
        for (int i = 0; i < logP.length; i++) {
            double p = Math.exp(logP[i]);
            sum += p > 0 ? p * (logP[i] - logQ[i]) : 0;
        }
        return sum;
    }

    /** Mean of {@link #divergence} over prompts. */
    static double meanDivergence(List<double[]> p, List<double[]> q) {
        double sum = 0;
        for (int i = 0; i < p.size(); i++) {
            sum += divergence(p.get(i), q.get(i));
        }
        return sum / p.size();
    }

    /** log P - log(1 - P) for the probability P of any of those tokens. */
    static double logOdds(double[] logP, List<Integer> tokens) {
        double inside = 0;
        double outside = 0;
        for (int i = 0; i < logP.length; i++) {
            if (tokens.contains(i)) {
                inside += Math.exp(logP[i]);
            } else {
                outside += Math.exp(logP[i]);
            }
        }
        return Math.log(inside) - Math.log(outside);
    }

    /** First tokens of texts, each once. */
    static List<Integer> firstTokens(Model model, List<String> texts) {
        List<Integer> out = new ArrayList<>();
        for (String text : texts) {
            int[] ids = model.tokenizer().encode(text, false);
            if (ids.length == 0) {
                throw new TillerException("target \"" + text + "\": has no tokens");
            }
            if (!out.contains(ids[0])) {
                out.add(ids[0]);
            }
        }
        return out;
    }
}
