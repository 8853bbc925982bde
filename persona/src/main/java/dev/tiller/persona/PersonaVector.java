package dev.tiller.persona;

import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/**
 * The directions of a trait in one model: raw differences of means, not normalised, or directions of length 1 if another
 * method found them. Rows l = 0..L belong to H[l] (row 0 is
 * the embedding output, row l the true output of block l-1), row L+1 to the output of the final norm; the last one is
 * kept for exchange with files that have it and is no direction of the residual stream.
 */
public final class PersonaVector {
    /** Which positions the activations were averaged over. */
    public enum Pooled {
        /** All tokens of the prompt. */
        PROMPT_AVG,
        /** All tokens of the answer: the one to steer with. */
        RESPONSE_AVG,
        /** The last token of the prompt. */
        PROMPT_LAST
    }

    private final String trait;
    private final String modelFingerprint;
    private final Map<Pooled, float[][]> rows;
    private final Selection selection;
    private final double[] residualNorms;
    private final List<Separation> separation;
    private final String textsHash;
    private final Making making;

    /**
     * How directions were made of activations.
     *
     * @param options the method and its numbers
     * @param details [L+2] further numbers that the method found at every H[l], by name
     */
    record Making(ExtractionOptions options, Map<String, double[]> details) {}

    PersonaVector(
            String trait,
            String modelFingerprint,
            Map<Pooled, float[][]> rows,
            Selection selection,
            double[] residualNorms,
            List<Separation> separation,
            String textsHash,
            Making making) {
        this.trait = trait;
        this.modelFingerprint = modelFingerprint;
        this.rows = new EnumMap<>(rows);
        this.selection = selection;
        this.residualNorms = residualNorms;
        this.separation = List.copyOf(separation);
        this.textsHash = textsHash;
        this.making = making;
    }

    /** The trait's adjective. */
    public String trait() {
        return trait;
    }

    /** The model it was found in. */
    public String modelFingerprint() {
        return modelFingerprint;
    }

    /** L. */
    public int blocks() {
        return rows.get(Pooled.RESPONSE_AVG).length - 2;
    }

    /** d. */
    public int width() {
        return rows.get(Pooled.RESPONSE_AVG)[0].length;
    }

    /** The positions that there are directions for: all, or the answer's alone. */
    public Set<Pooled> pooled() {
        return Collections.unmodifiableSet(rows.keySet());
    }

    /** How the directions were found. */
    public Method method() {
        return making.options().method();
    }

    Making making() {
        return making;
    }

    /** [L+2][d] directions; row l is H[l], the last row after the final norm. Not a copy. */
    public float[][] rows(Pooled which) {
        float[][] found = rows.get(which);
        if (found == null) {
            throw new TillerException("vector \"" + trait + "\": method " + method().key()
                    + " finds directions of answers only, none for " + which);
        }
        return found;
    }

    /** [d] the direction at the output of that block, from answer tokens. */
    public float[] residPost(int block) {
        return rows.get(Pooled.RESPONSE_AVG)[block + 1];
    }

    /** How the pairs of answers were chosen, with all counts. */
    public Selection selection() {
        return selection;
    }

    /** Rows of the rollouts that counted. */
    public List<Integer> keptPairs() {
        return selection.kept();
    }

    /** Pairs of answers before the filter. */
    public int totalPairs() {
        return selection.total();
    }

    /** False if no judge scored the answers, so that every pair counted. */
    public boolean judged() {
        return selection.judged();
    }

    /** [L+1] mean norm of the residual over answer tokens at H[l], measured on the first kept answers of each pole. */
    public double[] meanResidualNorm() {
        return residualNorms.clone();
    }

    /**
     * [L+2] how well the projections of the kept answers onto the direction separate the poles. Measured on the answers
     * the direction was made from, so it flatters.
     */
    public List<Separation> separation() {
        return separation;
    }

    /** SHA-256 of the token ids that went in. */
    public String textsHash() {
        return textsHash;
    }

    /** The direction of each block's output, as found. */
    public SteeringVector steering() {
        return steering(trait, residPosts());
    }

    /**
     * Increments for steering at all blocks at once: u_b = v_b - v_(b-1), and u_0 = v_0, so that what has been added up to
     * block b is v_b.
     */
    public SteeringVector incremental() {
        return steering(trait + " (incremental)", increments(residPosts()));
    }

    private float[][] residPosts() {
        float[][] out = new float[blocks()][];
        for (int b = 0; b < out.length; b++) {
            out[b] = residPost(b);
        }
        return out;
    }

    private SteeringVector steering(String name, float[][] perBlock) {
        Map<Integer, float[]> map = new TreeMap<>();
        for (int b = 0; b < perBlock.length; b++) {
            map.put(b, perBlock[b]);
        }
        return new SteeringVector(name, null, Site.RESID_POST, map, modelFingerprint);
    }

    /** [n][d] the first row as it is, then the difference of each row to the one before. */
    static float[][] increments(float[][] rows) {
        float[][] out = new float[rows.length][];
        for (int l = 0; l < rows.length; l++) {
            out[l] = rows[l].clone();
            for (int i = 0; l > 0 && i < out[l].length; i++) {
                out[l][i] -= rows[l - 1][i];
            }
        }
        return out;
    }

    /** A control: random directions, each row as long as the one it replaces. Says nothing of any trait. */
    public PersonaVector randomLike(long seed) {
        Random random = new Random(seed);
        Map<Pooled, float[][]> other = new EnumMap<>(Pooled.class);
        for (Map.Entry<Pooled, float[][]> e : rows.entrySet()) {
            float[][] from = e.getValue();
            float[][] to = new float[from.length][];
            for (int l = 0; l < from.length; l++) {
                to[l] = random(random, from[l]);
            }
            other.put(e.getKey(), to);
        }
        List<Separation> none = new ArrayList<>();
        separation.forEach(s -> none.add(new Separation(0.5, Double.NaN)));
        return new PersonaVector(
                trait + " (random control)",
                modelFingerprint,
                other,
                selection,
                residualNorms,
                none,
                textsHash,
                making);
    }

    private static float[] random(Random random, float[] like) {
        float[] out = new float[like.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) random.nextGaussian();
        }
        double scale = Vectors.norm(like) / Vectors.norm(out);
        for (int i = 0; i < out.length; i++) {
            out[i] *= (float) scale;
        }
        return out;
    }
}
