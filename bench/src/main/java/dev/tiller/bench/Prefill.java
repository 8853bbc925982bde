package dev.tiller.bench;

import dev.tiller.engine.Model;
import dev.tiller.engine.Sequence;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.Step;
import dev.tiller.kernels.Buffer;

/** From an empty sequence to the first token after a prompt. */
final class Prefill {
    private Prefill() {}

    /**
     * Seconds that a prompt takes.
     *
     * @param chunk most rows of one forward pass
     */
    static double seconds(Model model, int prompt, int chunk) {
        Step step = model.newStep();
        int[] ids = Decoding.tokens(model, 0, prompt);
        int[] next = new int[1];
        long start = System.nanoTime();
        try (Sequence sequence = model.newSequence(SteeringPlan.NONE, prompt)) {
            for (int from = 0; from < prompt; from += chunk) {
                int to = Math.min(from + chunk, prompt);
                step.clear();
                step.add(sequence, ids, from, to, to == prompt ? Step.Logits.LAST : Step.Logits.NONE);
                Buffer logits = model.forward(step);
                if (to == prompt) {
                    model.backend().argmax(logits, 1, next);
                }
            }
            return (System.nanoTime() - start) / 1e9;
        }
    }
}
