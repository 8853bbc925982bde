package dev.tiller.persona;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;

/**
 * Which pairs of answers count. Row i of the positive list and row i of the negative list stand or fall together: kept if
 * positive trait >= threshold, negative trait {@code < 100 - threshold} and both coherences >= 50; a missing score fails. Without
 * a judge every pair counts. A pair with an empty answer has nothing to average and is dropped. Each dropped pair is
 * counted once, under the first reason that applies.
 *
 * @param threshold as asked for
 * @param judged false if the rows carry no scores
 * @param total pairs looked at
 * @param kept their indices
 * @param empty dropped: one of the answers has no tokens
 * @param missing dropped: a score is missing
 * @param weakPositive dropped: the positive answer shows too little of the trait
 * @param strongNegative dropped: the negative answer shows too much of it
 * @param incoherent dropped: one of the answers is too incoherent
 * @param cutOff kept pairs in which an answer was cut off at the token limit
 */
public record Selection(
        double threshold,
        boolean judged,
        int total,
        List<Integer> kept,
        int empty,
        int missing,
        int weakPositive,
        int strongNegative,
        int incoherent,
        int cutOff) {
    /** Answers below this coherence do not count. */
    public static final double MIN_COHERENCE = 50;

    public Selection {
        kept = List.copyOf(kept);
    }

    private enum Reason {
        KEPT,
        EMPTY,
        MISSING,
        WEAK_POSITIVE,
        STRONG_NEGATIVE,
        INCOHERENT
    }

    /** Pairs the rows and filters them. Lists that do not match row by row are an error, and so is a choice of none. */
    static Selection of(String trait, List<Rollout> pos, List<Rollout> neg, double threshold) {
        checkPairs(trait, pos, neg);
        boolean judged = pos.getFirst().scores() != null;
        int[] counts = new int[Reason.values().length];
        int cutOff = 0;
        List<Integer> kept = new ArrayList<>();
        for (int i = 0; i < pos.size(); i++) {
            Rollout p = pos.get(i);
            Rollout n = neg.get(i);
            if ((p.scores() != null) != judged || (n.scores() != null) != judged) {
                throw new TillerException("trait " + trait + ": some answers are judged and some are not (row "
                        + (i + 1) + "); judge all or none");
            }
            Reason reason = reason(p, n, threshold);
            counts[reason.ordinal()]++;
            if (reason == Reason.KEPT) {
                kept.add(i);
                cutOff += p.ended() && n.ended() ? 0 : 1;
            }
        }
        Selection s = new Selection(
                threshold,
                judged,
                pos.size(),
                kept,
                counts[Reason.EMPTY.ordinal()],
                counts[Reason.MISSING.ordinal()],
                counts[Reason.WEAK_POSITIVE.ordinal()],
                counts[Reason.STRONG_NEGATIVE.ordinal()],
                counts[Reason.INCOHERENT.ordinal()],
                cutOff);
        if (kept.isEmpty()) {
            throw new TillerException("trait " + trait + ": no pair of answers is left: " + s.describe());
        }
        return s;
    }

    private static Reason reason(Rollout p, Rollout n, double threshold) {
        if (p.isEmpty() || n.isEmpty()) {
            return Reason.EMPTY;
        }
        if (p.scores() == null) {
            return Reason.KEPT;
        }
        Scores ps = p.scores();
        Scores ns = n.scores();
        if (ps.trait() == null || ps.coherence() == null || ns.trait() == null || ns.coherence() == null) {
            return Reason.MISSING;
        }
        if (!(ps.trait() >= threshold)) {
            return Reason.WEAK_POSITIVE;
        }
        if (!(ns.trait() < 100 - threshold)) {
            return Reason.STRONG_NEGATIVE;
        }
        boolean coherent = ps.coherence() >= MIN_COHERENCE && ns.coherence() >= MIN_COHERENCE;
        return coherent ? Reason.KEPT : Reason.INCOHERENT;
    }

    private static void checkPairs(String trait, List<Rollout> pos, List<Rollout> neg) {
        if (pos.size() != neg.size()) {
            throw new TillerException("trait " + trait + ": " + pos.size() + " positive and " + neg.size()
                    + " negative answers; they are compared row by row, so their numbers must be equal");
        }
        if (pos.isEmpty()) {
            throw new TillerException("trait " + trait + ": there are no answers");
        }
        for (int i = 0; i < pos.size(); i++) {
            Rollout p = pos.get(i);
            Rollout n = neg.get(i);
            if (p.pole() == Pole.NEG || n.pole() == Pole.POS) {
                throw new TillerException("trait " + trait + ": row " + (i + 1) + " of the "
                        + (p.pole() == Pole.NEG ? "positive answers is marked neg" : "negative answers is marked pos")
                        + "; are the two files exchanged?");
            }
            if (!p.pairsWith(n)) {
                throw new TillerException("trait " + trait + ": row " + (i + 1) + " does not pair: positive is "
                        + p.place() + ", negative is " + n.place());
            }
        }
    }

    /** One line with all counts. */
    public String describe() {
        StringBuilder out = new StringBuilder();
        out.append(kept.size()).append(" of ").append(total).append(" pairs kept");
        if (!judged) {
            out.append(" (no judge: every pair counts)");
        }
        add(out, empty, "with an empty answer");
        add(out, missing, "with a missing score");
        add(out, weakPositive, "with a positive answer below " + threshold);
        add(out, strongNegative, "with a negative answer of " + (100 - threshold) + " or more");
        add(out, incoherent, "with coherence below " + MIN_COHERENCE);
        if (cutOff > 0) {
            out.append("; in ").append(cutOff).append(" of those kept an answer is cut off");
        }
        return out.toString();
    }

    private static void add(StringBuilder out, int count, String what) {
        if (count > 0) {
            out.append(", ").append(count).append(" dropped ").append(what);
        }
    }
}
