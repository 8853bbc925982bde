package dev.tiller.engine;

import dev.tiller.kernels.Buffer;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;

/**
 * How far plans move what a model says next: the Kullback-Leibler divergence KL(steered || unsteered) of the distributions
 * after a prompt, in nats. The prompt is computed once for all plans that leave it alone.
 */
public final class Divergence {
    private final Model model;

    public Divergence(Model model) {
        this.model = model;
    }

    /**
     * One number for each plan.
     *
     * @param prompt token ids, at least one
     */
    public double[] of(int[] prompt, List<SteeringPlan> plans) {
        if (prompt.length == 0) {
            throw new TillerException("divergence: the prompt is empty: at least one token is needed");
        }
        List<CompiledPlan> compiled = plans.stream().map(model::compile).toList();
        return model.exclusively(() -> run(prompt, compiled));
    }

    private double[] run(int[] prompt, List<CompiledPlan> plans) {
        int n = prompt.length;
        double[] out = new double[plans.size()];
        int each = Math.min(model.backend().textsPerStep(), model.backend().rowsPerStep());
        try (Sequence plain = model.newSequence(Treatment.of(CompiledPlan.NONE, n))) {
            model.cache().checkFree("a prompt of " + n + " tokens", n);
            float[] base = lastLogits(plain, prompt);
            for (int from = 0; from < plans.size(); from += each) {
                int to = Math.min(plans.size(), from + each);
                List<Treatment> treatments = new ArrayList<>();
                for (CompiledPlan p : plans.subList(from, to)) {
                    Treatment t = Treatment.of(p, n);
                    Measuring.decide(model, t, prompt);
                    treatments.add(t);
                }
                float[][] steered = lastLogits(treatments, plain, prompt);
                for (int i = from; i < to; i++) {
                    out[i] = divergence(steered[i - from], base);
                }
            }
        }
        return out;
    }

    /** Runs the whole prompt. */
    private float[] lastLogits(Sequence sequence, int[] prompt) {
        float[] logits = new float[model.spec().vocabulary()];
        Step step = model.newStep();
        int most = model.backend().rowsPerStep();
        for (int from = sequence.length(); from < prompt.length; from += most) {
            int to = Math.min(prompt.length, from + most);
            step.clear();
            step.add(sequence, prompt, from, to, to == prompt.length ? Step.Logits.LAST : Step.Logits.NONE);
            Buffer out = model.transformer().forward(step, Taps.NONE);
            if (out != null) {
                model.backend().read(out, 0, 1, logits, 0);
            }
        }
        return logits;
    }

    /** Texts that share what their plans leave alone; those with a few rows to run go together. */
    private float[][] lastLogits(List<Treatment> treatments, Sequence plain, int[] prompt) {
        float[][] out = new float[treatments.size()][];
        List<Sequence> sequences = new ArrayList<>();
        try {
            Step step = model.newStep();
            List<Integer> inStep = new ArrayList<>();
            for (int i = 0; i < out.length; i++) {
                Sequence s = model.newSequence(treatments.get(i));
                sequences.add(s);
                s.shareFrom(plain, same(treatments.get(i), plain.treatment(), prompt.length - 1));
                int rows = prompt.length - s.length();
                if (rows > model.backend().rowsPerStep()) {
                    out[i] = lastLogits(s, prompt);
                    continue;
                }
                if (step.size() + rows > model.backend().rowsPerStep()) {
                    read(step, inStep, out);
                }
                step.add(s, prompt, s.length(), prompt.length, Step.Logits.LAST);
                inStep.add(i);
            }
            read(step, inStep, out);
            return out;
        } finally {
            sequences.forEach(Sequence::close);
        }
    }

    private static int same(Treatment a, Treatment b, int limit) {
        int same = 0;
        while (same < limit && a.actsLike(b, same)) {
            same++;
        }
        return same;
    }

    private void read(Step step, List<Integer> inStep, float[][] out) {
        if (step.size() > 0) {
            Buffer logits = model.transformer().forward(step, Taps.NONE);
            for (int row = 0; row < inStep.size(); row++) {
                out[inStep.get(row)] = new float[model.spec().vocabulary()];
                model.backend().read(logits, row, 1, out[inStep.get(row)], 0);
            }
        }
        step.clear();
        inStep.clear();
    }

    /** Sum of p (ln p - ln q) over the tokens, in double. */
    static double divergence(float[] p, float[] q) {
        double lp = logSum(p);
        double lq = logSum(q);
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            double a = p[i] - lp;
            sum += Math.exp(a) * (a - (q[i] - lq));
        }
        if (Double.isNaN(sum)) {
            throw Sampler.notFinite("NaN or infinite");
        }
        return Math.max(0, sum);
    }

    private static double logSum(float[] logits) {
        double largest = Double.NEGATIVE_INFINITY;
        for (float x : logits) {
            largest = Math.max(largest, x);
        }
        double sum = 0;
        for (float x : logits) {
            sum += Math.exp(x - largest);
        }
        return largest + Math.log(sum);
    }
}
