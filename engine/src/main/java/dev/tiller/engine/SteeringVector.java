package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A direction in the residual stream: one for every block, or one per block; or a matrix of directions for consecutive
 * positions. Copies what it is given.
 *
 * @param name for messages and reports
 * @param uniform [d] used at whatever block and site the edit names, [positions, d] for a matrix; or null
 * @param site site of the per-block directions; null if uniform
 * @param perBlock block -> [d] or [positions, d]; empty if uniform
 * @param modelFingerprint of the model it was found in, or null if unknown
 * @param positions rows of the matrix; 1 for a direction
 * @param op operation it was made for; null if any
 * @param calibration block -> what was measured about it there; empty if nothing
 */
public record SteeringVector(
        String name,
        float[] uniform,
        Site site,
        Map<Integer, float[]> perBlock,
        String modelFingerprint,
        int positions,
        Op op,
        Map<Integer, Calibration> calibration) {

    public SteeringVector {
        if ((uniform == null) == (site == null)) {
            throw new TillerException(
                    "vector \"" + name + "\": expected one direction, or a site with directions per block");
        }
        uniform = uniform == null ? null : uniform.clone();
        Map<Integer, float[]> copy = new TreeMap<>();
        perBlock.forEach((block, v) -> copy.put(block, v.clone()));
        perBlock = Collections.unmodifiableMap(copy);
        calibration = Map.copyOf(calibration);
        int rows = positions;
        if (rows < 1
                || uniform != null && uniform.length % rows != 0
                || copy.values().stream().anyMatch(v -> v.length % rows != 0)) {
            throw new TillerException("vector \"" + name + "\": its numbers do not make " + rows + " positions");
        }
    }

    /** A direction for any operation, without calibration. */
    public SteeringVector(
            String name, float[] uniform, Site site, Map<Integer, float[]> perBlock, String modelFingerprint) {
        this(name, uniform, site, perBlock, modelFingerprint, 1, null, Map.of());
    }

    /** One direction [d] for any block and site. */
    public static SteeringVector uniform(String name, float[] direction) {
        return new SteeringVector(name, direction, null, Map.of(), null);
    }

    /** One direction [d] per block, found at the block outputs. */
    public static SteeringVector residPost(String name, Map<Integer, float[]> perBlock) {
        return new SteeringVector(name, null, Site.RESID_POST, perBlock, null);
    }

    /** A matrix [positions, d] for any block and site: row i is for the position {@code from + i} of the edit's span. */
    public static SteeringVector matrix(String name, float[] rows, int positions) {
        return new SteeringVector(name, rows, null, Map.of(), null, positions, null, Map.of());
    }

    /** The same for any model and any operation. */
    public SteeringVector unbound() {
        return new SteeringVector(name, uniform, site, perBlock, null, positions, null, calibration);
    }

    /** The same, made for that operation. */
    public SteeringVector madeFor(Op operation) {
        return new SteeringVector(name, uniform, site, perBlock, modelFingerprint, positions, operation, calibration);
    }

    /** The same with what was measured about it. */
    public SteeringVector with(Map<Integer, Calibration> measured) {
        return new SteeringVector(name, uniform, site, perBlock, modelFingerprint, positions, op, measured);
    }

    /** The blocks it names; empty if it is uniform. */
    public Set<Integer> blocks() {
        return perBlock.keySet();
    }

    /** The direction [d], or [positions, d], for that site and block; refuses what the vector was not made for. */
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

    /** Row i of a matrix as a direction of its own; blocks where it is zero are left out. Null if it is zero everywhere. */
    SteeringVector position(int i) {
        String row = name + "[" + i + "]";
        if (uniform != null) {
            float[] v = row(uniform, i);
            return Vectors.norm(v) == 0
                    ? null
                    : new SteeringVector(row, v, null, Map.of(), modelFingerprint, 1, op, calibration);
        }
        Map<Integer, float[]> rows = new TreeMap<>();
        perBlock.forEach((block, all) -> {
            float[] v = row(all, i);
            if (Vectors.norm(v) != 0) {
                rows.put(block, v);
            }
        });
        return rows.isEmpty() ? null : new SteeringVector(row, null, site, rows, modelFingerprint, 1, op, calibration);
    }

    private float[] row(float[] all, int i) {
        int d = all.length / positions;
        return java.util.Arrays.copyOfRange(all, i * d, (i + 1) * d);
    }

    /** SHA-256 of its numbers: float32, little endian, each direction per block after its block's number. */
    public String sha256() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            if (uniform != null) {
                digest.update(bytes(uniform));
            }
            perBlock.forEach((block, v) -> {
                digest.update(ByteBuffer.allocate(4)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putInt(block)
                        .flip());
                digest.update(bytes(v));
            });
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static ByteBuffer bytes(float[] v) {
        ByteBuffer out = ByteBuffer.allocate(4 * v.length).order(ByteOrder.LITTLE_ENDIAN);
        out.asFloatBuffer().put(v);
        return out;
    }
}
