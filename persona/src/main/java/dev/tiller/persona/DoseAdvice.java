package dev.tiller.persona;

import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * What a dose response says about coefficients of one sign, from the smallest outwards.
 *
 * <p>A coefficient is <b>sound</b> if the answers keep at least 80 % of the unsteered coherence (where a judge gives one),
 * their share of repetitions grows by at most 0.1, their perplexity under the unsteered model at most fourfold, and the mean
 * divergence is at most the bound asked for. It <b>works</b> if the trait score moves to that side by more than under any of
 * the random vectors at the same coefficient, and by more than two standard errors of the difference. The text is
 * <b>broken</b> where the coherence falls below half of the unsteered one, the share of repetitions grows by more than 0.3, or
 * the perplexity more than twelvefold.
 *
 * <p>The best coefficient is that of the largest gain among those that work before the first that is not sound; the range
 * begins with the smallest that has half of that gain. Without scores there is no best one, and the range is what is sound.
 *
 * @param sign 1 or -1
 * @param from the end of the recommended range next to 0; NaN if nothing is recommended
 * @param to its other end
 * @param best NaN if nothing is recommended or there are no scores
 * @param why in a sentence
 * @param redLine the first coefficient at which the text is broken; NaN if none is
 * @param broken why it is, or null
 */
public record DoseAdvice(int sign, double from, double to, double best, String why, double redLine, String broken) {
    static final double SOUND_COHERENCE = 0.8;
    static final double BROKEN_COHERENCE = 0.5;
    static final double SOUND_REPETITION = 0.1;
    static final double BROKEN_REPETITION = 0.3;
    static final double SOUND_PERPLEXITY = 4;
    static final double BROKEN_PERPLEXITY = 12;

    /** Advice for positive coefficients, then for negative ones, as far as there are any. */
    public static List<DoseAdvice> of(DoseResponse.Result result) {
        return List.of(1, -1).stream()
                .filter(s -> result.options().coefficients().stream().anyMatch(c -> c * s > 0))
                .map(s -> side(result, s))
                .toList();
    }

    private static DoseAdvice side(DoseResponse.Result r, int sign) {
        List<DoseCell> cells = r.of(DoseArm.Kind.VECTOR).stream()
                .filter(c -> c.arm().coefficient() * sign > 0)
                .sorted(Comparator.comparingDouble(c -> Math.abs(c.arm().coefficient())))
                .toList();
        DoseCell base = r.unsteered();
        double redLine = Double.NaN;
        String broken = null;
        for (DoseCell c : cells) {
            broken = broken(c, base);
            if (broken != null) {
                redLine = c.arm().coefficient();
                break;
            }
        }
        List<DoseCell> sound = cells.stream()
                .takeWhile(c -> unsound(c, base, r.options().maxKl()) == null)
                .toList();
        if (sound.isEmpty()) {
            String why = "the smallest coefficient is too large already: "
                    + unsound(cells.getFirst(), base, r.options().maxKl());
            return new DoseAdvice(sign, Double.NaN, Double.NaN, Double.NaN, why, redLine, broken);
        }
        String end = sound.size() == cells.size()
                ? "the grid ends before the answers suffer"
                : "at " + number(cells.get(sound.size()).arm().coefficient()) + " "
                        + unsound(cells.get(sound.size()), base, r.options().maxKl());
        if (r.unjudged().isPresent()) {
            return new DoseAdvice(
                    sign,
                    sound.getFirst().arm().coefficient(),
                    sound.getLast().arm().coefficient(),
                    Double.NaN,
                    "there are no trait scores, so this is only where the answers stay sound; " + end,
                    redLine,
                    broken);
        }
        return judged(r, sign, sound, end, redLine, broken);
    }

    private static DoseAdvice judged(
            DoseResponse.Result r, int sign, List<DoseCell> sound, String end, double redLine, String broken) {
        DoseCell base = r.unsteered();
        List<DoseCell> working = sound.stream()
                .filter(c -> gain(c, base, sign) > noise(r, c, sign))
                .toList();
        if (working.isEmpty()) {
            String why =
                    "no sound coefficient moves the trait more than random vectors of the same norm and chance do; "
                            + end;
            return new DoseAdvice(sign, Double.NaN, Double.NaN, Double.NaN, why, redLine, broken);
        }
        DoseCell best = working.stream()
                .max(Comparator.<DoseCell>comparingDouble(c -> gain(c, base, sign))
                        .thenComparing(c -> -Math.abs(c.arm().coefficient())))
                .orElseThrow();
        double from = working.stream()
                .filter(c -> gain(c, base, sign) >= gain(best, base, sign) / 2)
                .findFirst()
                .orElse(best)
                .arm()
                .coefficient();
        String why = String.format(
                Locale.ROOT,
                "trait %.1f instead of %.1f at %s; %s",
                best.trait(),
                base.trait(),
                number(best.arm().coefficient()),
                end);
        return new DoseAdvice(sign, from, best.arm().coefficient(), best.arm().coefficient(), why, redLine, broken);
    }

    private static double gain(DoseCell c, DoseCell base, int sign) {
        return sign * (c.trait() - base.trait());
    }

    /** How far the trait moves without any meaning. */
    private static double noise(DoseResponse.Result r, DoseCell c, int sign) {
        DoseCell base = r.unsteered();
        double random = r.randomAt(c.arm().coefficient()).stream()
                .mapToDouble(x -> gain(x, base, sign))
                .max()
                .orElse(0);
        double error = Math.hypot(
                Double.isNaN(c.traitError()) ? 0 : c.traitError(),
                Double.isNaN(base.traitError()) ? 0 : base.traitError());
        return Math.max(Math.max(0, random), 2 * error);
    }

    /** Why a cell is not sound, or null. */
    private static String unsound(DoseCell c, DoseCell base, double maxKl) {
        String limits = beyond(c, base, SOUND_COHERENCE, SOUND_REPETITION, SOUND_PERPLEXITY);
        if (limits != null) {
            return limits;
        }
        return c.kl() > maxKl
                ? String.format(Locale.ROOT, "the divergence is %.2f nats, above %.2f", c.kl(), maxKl)
                : null;
    }

    /** Why the text of a cell is broken, or null. */
    static String broken(DoseCell c, DoseCell base) {
        return beyond(c, base, BROKEN_COHERENCE, BROKEN_REPETITION, BROKEN_PERPLEXITY);
    }

    private static String beyond(DoseCell c, DoseCell base, double coherence, double repetition, double perplexity) {
        if (c.coherence() < coherence * base.coherence()) {
            return String.format(Locale.ROOT, "the coherence is %.1f, unsteered %.1f", c.coherence(), base.coherence());
        }
        if (c.repetition() > base.repetition() + repetition) {
            return String.format(
                    Locale.ROOT, "the share of repetitions is %.2f, unsteered %.2f", c.repetition(), base.repetition());
        }
        if (c.perplexity() > base.perplexity() * perplexity) {
            return String.format(
                    Locale.ROOT,
                    "the perplexity under the unsteered model is %.1f, that of its own answers %.1f",
                    c.perplexity(),
                    base.perplexity());
        }
        return c.tokens() == 0 ? "the answers are empty" : null;
    }

    /** A coefficient without needless digits. */
    static String number(double c) {
        return c == Math.rint(c) && Math.abs(c) < 1e6 ? Long.toString((long) c) : Double.toString(c);
    }
}
