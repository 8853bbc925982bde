package dev.tiller.persona;

import dev.tiller.engine.ChatPrompt;
import dev.tiller.engine.Edit;
import dev.tiller.engine.FinishReason;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Generator;
import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.TokenSink;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Steers at one block after the other and lets a judge say what came of it: h += coefficient * v at the block's output,
 * from the last prompt token on, no system prompt. All answers of all cells run as rows of one batch. A question draws
 * with the same seed in every cell, so that cells differ by their steering alone.
 */
public final class LayerSweep {
    /** Cells below this coherence do not stand for a block. */
    public static final double MIN_COHERENCE = 80;

    private LayerSweep() {}

    /** Sweeps the answer direction of a persona vector. */
    public static List<SweepCell> run(
            Model model,
            PersonaVector vector,
            List<String> questions,
            Judge judge,
            List<Integer> blocks,
            List<Double> coefficients,
            SamplingOptions sampling,
            int maxTokens,
            long seed,
            Progress progress) {
        return run(
                model, vector.steering(), questions, judge, blocks, coefficients, sampling, maxTokens, seed, progress);
    }

    /**
     * Sweeps a vector.
     *
     * @param questions each asked once in every cell
     * @param blocks 0-based
     * @param coefficients 0 is measured once and holds for every block
     * @return one cell for each block and coefficient, blocks outermost
     */
    public static List<SweepCell> run(
            Model model,
            SteeringVector vector,
            List<String> questions,
            Judge judge,
            List<Integer> blocks,
            List<Double> coefficients,
            SamplingOptions sampling,
            int maxTokens,
            long seed,
            Progress progress) {
        if (questions.isEmpty() || blocks.isEmpty() || coefficients.isEmpty()) {
            throw new TillerException("layer sweep: needs at least one question, one block and one coefficient");
        }
        List<SteeringPlan> plans = new ArrayList<>();
        List<int[]> cellPlans = new ArrayList<>();
        for (int block : blocks) {
            int[] ofBlock = new int[coefficients.size()];
            for (int c = 0; c < ofBlock.length; c++) {
                SteeringPlan plan = plan(vector, coefficients.get(c), block);
                model.check(plan);
                // Without steering the block does not matter: the first such plan serves all blocks.
                int same = plan.equals(SteeringPlan.NONE) ? plans.indexOf(plan) : -1;
                ofBlock[c] = same >= 0 ? same : plans.size();
                if (same < 0) {
                    plans.add(plan);
                }
            }
            cellPlans.add(ofBlock);
        }
        double[][] means = measure(model, plans, questions, judge, sampling, maxTokens, seed, progress);
        List<SweepCell> cells = new ArrayList<>();
        for (int b = 0; b < blocks.size(); b++) {
            for (int c = 0; c < coefficients.size(); c++) {
                double[] m = means[cellPlans.get(b)[c]];
                cells.add(new SweepCell(blocks.get(b), coefficients.get(c), m[0], m[1], questions.size()));
            }
        }
        return cells;
    }

    private static SteeringPlan plan(SteeringVector vector, double coefficient, int block) {
        Edit edit = Edit.add(vector, (float) coefficient, block);
        return edit.isIdle() ? SteeringPlan.NONE : SteeringPlan.of(edit);
    }

    /** Mean trait score and coherence under each plan. */
    static double[][] measure(
            Model model,
            List<SteeringPlan> plans,
            List<String> questions,
            Judge judge,
            SamplingOptions sampling,
            int maxTokens,
            long seed,
            Progress progress) {
        List<GenerationRequest> requests = new ArrayList<>();
        List<ChatPrompt> prompts = questions.stream()
                .map(q -> model.chatPrompt(List.of(new Message("user", q))))
                .toList();
        for (SteeringPlan plan : plans) {
            for (int q = 0; q < prompts.size(); q++) {
                requests.add(
                        new GenerationRequest(prompts.get(q), plan, sampling, Seeds.of(seed, q), maxTokens, false));
            }
        }
        List<Generation> answers = new Generator(model, List.of(), counting(requests.size(), progress)).run(requests);
        double[][] means = new double[plans.size()][];
        for (int p = 0; p < plans.size(); p++) {
            List<Scores> scores = new ArrayList<>();
            for (int q = 0; q < questions.size(); q++) {
                Generation g = answers.get(p * questions.size() + q);
                scores.add(judge.score(questions.get(q), g.text(), g.finish() == FinishReason.STOP));
            }
            means[p] = new double[] {
                mean(scores.stream().map(Scores::trait).toList()),
                mean(scores.stream().map(Scores::coherence).toList())
            };
        }
        return means;
    }

    private static TokenSink counting(int total, Progress progress) {
        return new TokenSink() {
            private int done;

            @Override
            public boolean token(int request, int id, String text, float[] projections) {
                return true;
            }

            @Override
            public void finished(int request, Generation generation) {
                progress.update("layer sweep", ++done, total);
            }
        };
    }

    private static double mean(List<Double> scores) {
        return scores.stream()
                .filter(s -> s != null)
                .mapToDouble(Double::doubleValue)
                .average()
                .orElse(Double.NaN);
    }

    /**
     * The block to steer at: that of the cell with the highest trait score among those with a positive coefficient and a
     * coherence of 80 or more; the more coherent of equals, then the earlier block. An error if no cell qualifies. Chosen
     * on the questions of the sweep, so scores on the same questions flatter it.
     */
    public static int bestBlock(List<SweepCell> cells) {
        Optional<SweepCell> best = cells.stream()
                .filter(c -> c.coefficient() > 0 && c.coherence() >= MIN_COHERENCE && !Double.isNaN(c.trait()))
                .max(Comparator.comparingDouble(SweepCell::trait)
                        .thenComparingDouble(SweepCell::coherence)
                        .thenComparing(SweepCell::block, Comparator.reverseOrder()));
        return best.orElseThrow(() -> new TillerException("layer sweep: no cell with a positive coefficient keeps a"
                        + " coherence of " + MIN_COHERENCE + "; try smaller coefficients"))
                .block();
    }
}
