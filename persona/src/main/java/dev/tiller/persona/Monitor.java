package dev.tiller.persona;

import dev.tiller.engine.Model;
import dev.tiller.engine.PooledResiduals;
import dev.tiller.engine.TokenizedText;
import dev.tiller.engine.Vectors;
import java.util.ArrayList;
import java.util.List;

/** Measures how far texts lie along a trait's direction, without steering. */
public final class Monitor {
    private Monitor() {}

    /**
     * Projections of one text onto the answer direction v at every H[l] (the last entry after the final norm); NaN where
     * v has no length.
     *
     * @param response [L+2] a.v/|v| with a the mean over the answer's tokens
     * @param cosine [L+2] a.v/(|a||v|)
     * @param promptLast [L+2] the same as response with a the last token of the prompt: known before the answer begins
     */
    public record Reading(double[] response, double[] cosine, double[] promptLast) {}

    /** Reads many texts, in one forward pass each. */
    public static List<Reading> read(Model model, PersonaVector vector, List<TokenizedText> texts) {
        float[][] v = vector.rows(PersonaVector.Pooled.RESPONSE_AVG);
        List<Reading> out = new ArrayList<>();
        for (PooledResiduals p : model.pooled(texts)) {
            Reading r = new Reading(new double[v.length], new double[v.length], new double[v.length]);
            for (int l = 0; l < v.length; l++) {
                double norm = Vectors.norm(v[l]);
                double dot = Vectors.dot(p.responseAvg()[l], v[l]);
                r.response()[l] = dot / norm;
                r.cosine()[l] = dot / (norm * Vectors.norm(p.responseAvg()[l]));
                r.promptLast()[l] = Vectors.dot(p.promptLast()[l], v[l]) / norm;
            }
            out.add(r);
        }
        return out;
    }
}
