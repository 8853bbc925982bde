package dev.tiller.persona;

import dev.tiller.engine.Amount;
import dev.tiller.engine.SteeringVector;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;

/**
 * A grid of coefficients and how it is tried.
 *
 * @param trait the adjective that the judge scores, for reports
 * @param vector direction to add, one per block
 * @param block 0-based
 * @param unit what the coefficients count
 * @param coefficients without 0, in any order; 0 is the unsteered baseline
 * @param instruction system prompt of the prompt-only baseline
 * @param prompts what the user says
 * @param randomVectors how many random directions of the same norm are tried beside it, at least 1
 * @param temperature of the answers; 0 is greedy
 * @param maxTokens longest answer
 * @param seed of the whole run; a prompt draws with the same seed in every arm
 * @param maxKl divergence beyond which nothing is recommended, nats
 */
public record DoseOptions(
        String trait,
        SteeringVector vector,
        int block,
        Amount.Unit unit,
        List<Double> coefficients,
        String instruction,
        List<String> prompts,
        int randomVectors,
        double temperature,
        int maxTokens,
        long seed,
        double maxKl) {

    /** Most points of a grid. */
    private static final int MOST = 200;

    public DoseOptions {
        coefficients =
                coefficients.stream().distinct().filter(c -> c != 0).sorted().toList();
        prompts = List.copyOf(prompts);
        if (coefficients.isEmpty() || coefficients.size() > MOST) {
            throw new TillerException(
                    "dose: expected 1 to " + MOST + " coefficients other than 0, found " + coefficients.size());
        }
        if (prompts.isEmpty()) {
            throw new TillerException("dose: expected at least one prompt");
        }
        if (instruction == null || instruction.isBlank()) {
            throw new TillerException("dose: the prompt-only baseline needs an instruction");
        }
        if (randomVectors < 1) {
            throw new TillerException("dose: random vectors: expected 1 or more, found " + randomVectors);
        }
        if (!(maxKl > 0)) {
            throw new TillerException("dose: largest divergence: expected above 0, found " + maxKl);
        }
    }

    /** Reads a grid: numbers and ranges {@code from..to:n} of n evenly spaced numbers, both ends included. */
    public static List<Double> grid(String text, String where) {
        List<Double> out = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            int dots = part.indexOf("..");
            int colon = part.indexOf(':');
            if (dots < 0 && colon < 0) {
                out.add(number(part, text, where));
                continue;
            }
            if (dots < 0 || colon < dots) {
                throw bad(part, text, where);
            }
            double from = number(part.substring(0, dots), text, where);
            double to = number(part.substring(dots + 2, colon), text, where);
            double n = number(part.substring(colon + 1), text, where);
            if (n != Math.rint(n) || n < 2 || n > MOST) {
                throw bad(part, text, where);
            }
            for (int i = 0; i < n; i++) {
                double c = from + (to - from) * i / (n - 1);
                out.add(Math.rint(c * 1e9) / 1e9);
            }
        }
        return out;
    }

    private static double number(String part, String text, String where) {
        try {
            double c = Double.parseDouble(part.strip());
            if (Double.isFinite(c) && Math.abs(c) <= Float.MAX_VALUE) {
                return c;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw bad(part, text, where);
    }

    private static TillerException bad(String part, String text, String where) {
        return new TillerException(where + " " + text + ": \"" + part
                + "\": expected numbers like 0.5,1,2 or ranges like -2..2:9 (nine of them, both ends included)");
    }
}
