package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A direction in the residual stream: one for every block, or one per block. Copies what it is given.
 *
 * @param name for messages and reports
 * @param uniform [d] used at whatever block and site the edit names; or null
 * @param site site of the per-block directions; null if uniform
 * @param perBlock block -> [d]; empty if uniform
 * @param modelFingerprint of the model it was found in, or null if unknown
 */
public record SteeringVector(
        String name, float[] uniform, Site site, Map<Integer, float[]> perBlock, String modelFingerprint) {

    public SteeringVector {
        if ((uniform == null) == (site == null)) {
            throw new TillerException(
                    "vector \"" + name + "\": expected one direction, or a site with directions per block");
        }
        uniform = uniform == null ? null : uniform.clone();
        Map<Integer, float[]> copy = new TreeMap<>();
        perBlock.forEach((block, v) -> copy.put(block, v.clone()));
        perBlock = Collections.unmodifiableMap(copy);
    }

    /** One direction [d] for any block and site. */
    public static SteeringVector uniform(String name, float[] direction) {
        return new SteeringVector(name, direction, null, Map.of(), null);
    }

    /** One direction [d] per block, found at the block outputs. */
    public static SteeringVector residPost(String name, Map<Integer, float[]> perBlock) {
        return new SteeringVector(name, null, Site.RESID_POST, perBlock, null);
    }

    /** The blocks it names; empty if it is uniform. */
    public Set<Integer> blocks() {
        return perBlock.keySet();
    }

    /** The direction [d] for that site and block; refuses what the vector was not made for. */
    public float[] at(Site where, int block) {
        if (uniform != null) {
            return uniform;
        }
        if (where != site) {
            throw new TillerException("vector \"" + name + "\": holds directions for site " + site.key()
                    + ", the plan asks for site " + where.key());
        }
        float[] v = perBlock.get(block);
        if (v == null) {
            throw new TillerException(
                    "vector \"" + name + "\": has no direction for block " + block + "; it has blocks " + blocks());
        }
        return v;
    }
}
