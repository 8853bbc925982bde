package dev.tiller.persona.vectors;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * The functions of an {@link Expression}, block by block:
 *
 * <ul>
 *   <li>{@code proj(a, b, ...)}: the part of a within the span of the others; {@code orth(a, b, ...)}: the rest of a
 *   <li>{@code unit(a)}: a / |a|; {@code like(a, b)}: a with the lengths of b
 *   <li>{@code merge(a, b, ...)}: the blocks of all; where several have a block, their mean
 *   <li>{@code random(a, seed)}: random directions, evenly distributed, with the lengths of a: a control
 *   <li>{@code blocks(a, i, j, ...)}: only those blocks; {@code pick(a, k)}: the k-th direction of blocks that have several
 *   <li>{@code incremental(a)}: u_b = v_b - v_(b-1), with the block before b in the file
 * </ul>
 */
final class VectorFunctions {
    private VectorFunctions() {}

    static Value call(String name, List<Object> arguments) {
        if (!(arguments.getFirst() instanceof Value a)) {
            throw new TillerException("expected a vector as first argument, found a number");
        }
        return switch (name) {
            case "proj" -> onto(a, vectors(arguments, 2), true);
            case "orth" -> onto(a, vectors(arguments, 2), false);
            case "unit" -> {
                count(arguments, 1);
                yield mapRows(a, (block, row) -> Value.times(1 / length(row, block), row));
            }
            case "like" -> {
                count(arguments, 2);
                Value b = vectors(arguments, 2).getFirst();
                yield mapRows(a, (block, row) -> Value.times(length(only(b, block), block) / length(row, block), row));
            }
            case "merge" -> merge(arguments);
            case "random" -> {
                count(arguments, 2);
                long seed = number(arguments.get(1));
                yield mapRows(a, (block, row) -> random(row, seed, block));
            }
            case "blocks" -> blocks(a, arguments);
            case "pick" -> {
                count(arguments, 2);
                yield pick(a, (int) number(arguments.get(1)));
            }
            case "incremental" -> {
                count(arguments, 1);
                yield incremental(a);
            }
            default ->
                throw new TillerException("unknown function; accepted: proj, orth, unit, like, merge, random, blocks,"
                        + " pick, incremental");
        };
    }

    private interface RowFunction {
        double[] apply(int block, double[] row);
    }

    /** Every direction by itself. What holds for directions need not hold for extras, so these go. */
    private static Value mapRows(Value a, RowFunction f) {
        TreeMap<Integer, double[][]> out = new TreeMap<>();
        a.blocks().forEach((block, rows) -> {
            double[][] made = new double[rows.length][];
            for (int k = 0; k < made.length; k++) {
                made[k] = f.apply(block, rows[k]);
            }
            out.put(block, made);
        });
        return new Value(out, Map.of());
    }

    /** The part within the span of the others' directions, or what is left of it; the span is orthonormalised twice. */
    private static Value onto(Value a, List<Value> others, boolean within) {
        return mapRows(a, (block, row) -> {
            List<double[]> basis = new ArrayList<>();
            for (Value other : others) {
                for (double[] direction : rows(other, block)) {
                    double[] u = direction;
                    double before = length(direction, block);
                    for (int pass = 0; pass < 2; pass++) {
                        for (double[] b : basis) {
                            u = Value.plus(u, -Value.dot(u, b), b);
                        }
                    }
                    double norm = Value.norm(u);
                    if (norm > 1e-9 * before) {
                        basis.add(Value.times(1 / norm, u));
                    }
                }
            }
            double[] rest = row;
            for (double[] b : basis) {
                rest = Value.plus(rest, -Value.dot(rest, b), b);
            }
            return within ? Value.plus(row, -1, rest) : rest;
        });
    }

    private static Value merge(List<Object> arguments) {
        List<Value> all = new ArrayList<>();
        for (Object o : arguments) {
            all.add(vector(o));
        }
        TreeMap<Integer, List<double[][]>> found = new TreeMap<>();
        all.forEach(v -> v.blocks()
                .forEach((block, rows) ->
                        found.computeIfAbsent(block, b -> new ArrayList<>()).add(rows)));
        TreeMap<Integer, double[][]> out = new TreeMap<>();
        found.forEach((block, several) -> {
            double[][] mean = new double[several.getFirst().length][];
            for (int k = 0; k < mean.length; k++) {
                double[] sum = several.getFirst()[k];
                for (double[][] rows : several.subList(1, several.size())) {
                    if (rows.length != mean.length) {
                        throw new TillerException("block " + block + " has different numbers of directions");
                    }
                    sum = Value.plus(sum, 1, rows[k]);
                }
                mean[k] = several.size() == 1 ? sum : Value.times(1.0 / several.size(), sum);
            }
            out.put(block, mean);
        });
        return new Value(out, Map.of());
    }

    /** A direction of that length, evenly distributed over all; other blocks and seeds give others. */
    private static double[] random(double[] like, long seed, int block) {
        SplittableRandom random = new SplittableRandom(seed * 1_000_003 + block);
        double[] out = new double[like.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = random.nextGaussian();
        }
        return Value.times(Value.norm(like) / Value.norm(out), out);
    }

    private static Value blocks(Value a, List<Object> arguments) {
        if (arguments.size() < 2) {
            throw new TillerException("expected block numbers after the vector");
        }
        TreeMap<Integer, double[][]> out = new TreeMap<>();
        for (Object o : arguments.subList(1, arguments.size())) {
            int block = (int) number(o);
            out.put(block, rows(a, block));
        }
        return new Value(out, Map.of());
    }

    private static Value pick(Value a, int k) {
        TreeMap<Integer, double[][]> out = new TreeMap<>();
        a.blocks().forEach((block, rows) -> {
            if (k < 0 || k >= rows.length) {
                throw new TillerException("block " + block + " has directions 0.." + (rows.length - 1) + ", not " + k);
            }
            out.put(block, new double[][] {rows[k]});
        });
        return new Value(out, Map.of());
    }

    private static Value incremental(Value a) {
        TreeMap<Integer, double[][]> out = new TreeMap<>();
        double[] before = null;
        for (int block : a.blocks().keySet()) {
            double[] row = only(a, block);
            out.put(block, new double[][] {before == null ? row : Value.plus(row, -1, before)});
            before = row;
        }
        return new Value(out, Map.of());
    }

    // ---- arguments ----

    private static void count(List<Object> arguments, int expected) {
        if (arguments.size() != expected) {
            throw new TillerException("expected " + expected + " arguments, found " + arguments.size());
        }
    }

    private static Value vector(Object o) {
        if (o instanceof Value v) {
            return v;
        }
        throw new TillerException("expected a vector, found the number " + o);
    }

    /** All arguments but the first. */
    private static List<Value> vectors(List<Object> arguments, int atLeast) {
        if (arguments.size() < atLeast) {
            throw new TillerException("expected at least " + atLeast + " vectors, found " + arguments.size());
        }
        return arguments.subList(1, arguments.size()).stream()
                .map(VectorFunctions::vector)
                .toList();
    }

    private static long number(Object o) {
        if (o instanceof Double d && d == Math.rint(d) && Math.abs(d) < 1e15) {
            return (long) (double) d;
        }
        throw new TillerException("expected a whole number, found " + (o instanceof Double d ? d : "a vector"));
    }

    private static double[][] rows(Value v, int block) {
        double[][] rows = v.blocks().get(block);
        if (rows == null) {
            throw new TillerException(
                    "there is no block " + block + ", only " + v.blocks().keySet());
        }
        return rows;
    }

    private static double[] only(Value v, int block) {
        double[][] rows = rows(v, block);
        if (rows.length != 1) {
            throw new TillerException("block " + block + " has " + rows.length + " directions, one is expected");
        }
        return rows[0];
    }

    private static double length(double[] row, int block) {
        double norm = Value.norm(row);
        if (!(norm > 0)) {
            throw new TillerException("the direction of block " + block + " is zero");
        }
        return norm;
    }
}
