package dev.tiller.bench;

import dev.tiller.engine.Model;
import dev.tiller.engine.Sequence;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.Step;
import dev.tiller.kernels.Buffer;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Logits of a model against reference logits of the same tokens, computed in every way in which rows meet the kernels. */
final class Parity {
    /** Sequences of the mixed batch: more than the kernels for few rows take. */
    private static final int SEQUENCES = 12;

    private final Model model;
    private final int[] ids;
    private final float[] expected;
    private final int vocabulary;
    private double errorSquares;
    private double squares;

    /** @param reference file with input_ids [N] and logits [N, V] */
    Parity(Model model, Path reference) {
        this.model = model;
        this.vocabulary = model.spec().vocabulary();
        try (Safetensors file = Safetensors.open(reference)) {
            long[] tokens = file.tensor("input_ids").toLongs();
            TensorView logits = file.tensor("logits");
            if (tokens.length <= SEQUENCES || logits.elements() != (long) tokens.length * vocabulary) {
                throw new TillerException(reference + ": expected logits [N, " + vocabulary + "] of N > " + SEQUENCES
                        + " input_ids, found " + tokens.length + " ids and " + logits.describe());
            }
            ids = new int[tokens.length];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = (int) tokens[i];
            }
            expected = logits.toFloats();
        }
    }

    /** Relative error |a - b| / |b| over all logits, for each way. */
    Map<String, Double> errors() {
        Map<String, Double> errors = new LinkedHashMap<>();
        allAtOnce();
        errors.put("one pass", error());
        oneByOne();
        errors.put("token by token", error());
        sideBySide();
        errors.put("mixed batch", error());
        return errors;
    }

    private void allAtOnce() {
        try (Sequence sequence = model.newSequence(SteeringPlan.NONE, ids.length)) {
            Step step = model.newStep();
            step.add(sequence, ids, 0, ids.length, Step.Logits.ALL);
            Buffer logits = model.forward(step);
            for (int i = 0; i < ids.length; i++) {
                compare(logits, i, i);
            }
        }
    }

    private void oneByOne() {
        try (Sequence sequence = model.newSequence(SteeringPlan.NONE, 1)) {
            Step step = model.newStep();
            for (int i = 0; i < ids.length; i++) {
                step.clear();
                step.add(sequence, ids, i, i + 1, Step.Logits.LAST);
                compare(model.forward(step), 0, i);
            }
        }
    }

    /** Sequence s begins with 1 + s tokens at once; then all advance together, so that their positions differ. */
    private void sideBySide() {
        List<Sequence> sequences = new ArrayList<>();
        try {
            Step step = model.newStep();
            for (int s = 0; s < SEQUENCES; s++) {
                sequences.add(model.newSequence(SteeringPlan.NONE, 1 + s));
                step.add(sequences.get(s), ids, 0, 1 + s, Step.Logits.LAST);
            }
            compareLast(model.forward(step), sequences);
            for (int steps = ids.length - SEQUENCES; steps > 0; steps--) {
                step.clear();
                for (Sequence s : sequences) {
                    step.add(s, ids, s.length(), s.length() + 1, Step.Logits.LAST);
                }
                compareLast(model.forward(step), sequences);
            }
        } finally {
            sequences.forEach(Sequence::close);
        }
    }

    private void compareLast(Buffer logits, List<Sequence> sequences) {
        for (int s = 0; s < sequences.size(); s++) {
            compare(logits, s, sequences.get(s).length() - 1);
        }
    }

    private void compare(Buffer logits, int row, int position) {
        float[] found = new float[vocabulary];
        model.backend().read(logits, row, 1, found, 0);
        for (int i = 0; i < vocabulary; i++) {
            double e = expected[position * vocabulary + i];
            errorSquares += (found[i] - e) * (found[i] - e);
            squares += e * e;
        }
    }

    private double error() {
        double error = Math.sqrt(errorSquares / squares);
        errorSquares = 0;
        squares = 0;
        return error;
    }
}
