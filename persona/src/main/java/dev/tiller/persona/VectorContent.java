package dev.tiller.persona;

import dev.tiller.engine.Op;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a vector file says: directions per block, what they are for, and where they come from. The same for files of ours
 * and for what is imported from files of other tools.
 *
 * @param op what the directions are for: the key of an operation, or {@link #MIXED} if that differs from block to block
 *     (then the metadata key {@code ops} has it)
 * @param site where in a block they act
 * @param directions block -> [k][d]; k is 1 except for subspaces and directions per position
 * @param extras [d] each: rows that are kept for exchange and are no directions to steer with, e.g. {@code embedding}
 * @param metadata further keys of the file; structured values are JSON
 */
public record VectorContent(
        String op,
        Site site,
        SortedMap<Integer, float[][]> directions,
        Map<String, float[]> extras,
        Map<String, String> metadata) {

    /** Operation of a file whose blocks have different ones. */
    public static final String MIXED = "mixed";

    /** Operations that a file may name. */
    private static final Set<String> OPS = ops();

    public VectorContent {
        if (directions.isEmpty()) {
            throw new TillerException("a vector file needs a direction, found none");
        }
        checkOp(op, "vector");
        directions = Collections.unmodifiableSortedMap(new TreeMap<>(directions));
        extras = Collections.unmodifiableMap(new LinkedHashMap<>(extras));
        metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
        int width = directions.get(directions.firstKey())[0].length;
        for (Map.Entry<Integer, float[][]> e : directions.entrySet()) {
            for (float[] v : e.getValue()) {
                check(v, width, site.key() + "." + e.getKey());
            }
        }
        extras.forEach((name, v) -> check(v, width, name));
    }

    private static Set<String> ops() {
        Set<String> out = new LinkedHashSet<>();
        for (Op op : Op.values()) {
            out.add(op.key());
        }
        out.add(MIXED);
        return out;
    }

    private static void check(float[] v, int width, String name) {
        if (v.length != width) {
            throw new TillerException("tensor " + name + ": width " + v.length + ", the others have " + width);
        }
        for (int i = 0; i < v.length; i++) {
            if (!Float.isFinite(v[i])) {
                throw new TillerException("tensor " + name + ": value " + i + " is " + v[i]);
            }
        }
    }

    /** Refuses the name of an operation that no vector file may have. */
    static void checkOp(String op, String where) {
        if (!OPS.contains(op)) {
            throw new TillerException(
                    where + ": op \"" + op + "\" is not supported; accepted: " + String.join(", ", OPS));
        }
    }

    /** d. */
    public int width() {
        return directions.get(directions.firstKey())[0].length;
    }

    /** Most directions of one block. */
    public int rank() {
        return directions.values().stream().mapToInt(v -> v.length).max().orElseThrow();
    }

    /** The same with other metadata. */
    public VectorContent withMetadata(Map<String, String> other) {
        return new VectorContent(op, site, directions, extras, other);
    }

    /** [d] the only direction of that block. */
    public float[] at(int block) {
        float[][] v = directions.get(block);
        if (v == null) {
            throw new TillerException("there is no direction for block " + block + ", only for " + directions.keySet());
        }
        if (v.length != 1) {
            throw new TillerException("block " + block + " has " + v.length + " directions, one is expected; \"vector"
                    + " arith 'pick(v, 0)' --vector v=FILE\" takes one out");
        }
        return v[0];
    }

    /**
     * The directions for a plan, made for the operation of the file. Several directions to be added are a matrix of
     * positions; other operations refuse them, and so does a number of them that differs from block to block.
     *
     * @param modelFingerprint of the model they are bound to, or null
     */
    public SteeringVector steering(String name, String modelFingerprint) {
        if (op.equals(MIXED)) {
            throw new TillerException(
                    "vector \"" + name + "\": its blocks are for different operations (" + metadata.get("ops")
                            + "); \"vector arith 'blocks(v, 1)' --vector v=FILE --op add\" takes some out");
        }
        int rank = rank();
        boolean matrix = rank > 1
                && op.equals(Op.ADD.key())
                && directions.values().stream().allMatch(v -> v.length == rank);
        Map<Integer, float[]> perBlock = new TreeMap<>();
        for (int block : directions.keySet()) {
            try {
                perBlock.put(block, matrix ? joined(directions.get(block)) : at(block));
            } catch (TillerException e) {
                throw new TillerException("vector \"" + name + "\": " + e.getMessage(), e);
            }
        }
        return new SteeringVector(
                name,
                null,
                site,
                perBlock,
                modelFingerprint,
                matrix ? rank : 1,
                operation(op),
                Calibrations.read(metadata, blocks(), name));
    }

    static float[] joined(float[][] rows) {
        float[] all = new float[rows.length * rows[0].length];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(rows[i], 0, all, i * rows[i].length, rows[i].length);
        }
        return all;
    }

    /** Length of the direction per block, in the order of the blocks; of several the root of the sum of squares. */
    public double[] norms() {
        return directions.values().stream()
                .mapToDouble(rows -> Math.sqrt(
                        Arrays.stream(rows).mapToDouble(v -> Vectors.dot(v, v)).sum()))
                .toArray();
    }

    /** The blocks it has directions for, rising. */
    public List<Integer> blocks() {
        return List.copyOf(directions.keySet());
    }

    /** Null for {@link #MIXED}. */
    static Op operation(String key) {
        return Arrays.stream(Op.values())
                .filter(o -> o.key().equals(key))
                .findFirst()
                .orElse(null);
    }
}
