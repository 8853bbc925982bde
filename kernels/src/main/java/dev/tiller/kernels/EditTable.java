package dev.tiller.kernels;

import java.util.stream.IntStream;

/**
 * Edits at one site for the rows of one step, compiled: E edits of D directions shared by the batch, and for each row the
 * list of edits that apply to it (compressed rows). The cost of a row depends on its own edits only, not on how many
 * different edits the batch holds.
 *
 * <p>With x the row, c the coefficient of the entry, v the direction, and u, b1, b2 where it is of unit length:
 *
 * <ul>
 *   <li>ADD: x += c v
 *   <li>ABLATE: x -= c (x.u) u, c the strength in [0, 1]
 *   <li>CLAMP: p = x.u, x += c (min(max(p, low), high) - p) u, c the strength; low = high sets the projection
 *   <li>ROTATE: the part of x in the plane of b1 (direction) and b2 (second, orthogonal to b1) is turned to the angle whose
 *       cosine is low and whose sine is high, counted from b1 towards b2: p = x.b1, q = x.b2, r = sqrt(p^2 + q^2),
 *       (p', q') = (1 - c) (p, q) + c r (low, high), scaled to length r; x += (p' - p) b1 + (q' - q) b2. |x| is kept; c = 1
 *       is angular steering, less stops on the way. Where r or the length of (p', q') is 0, x stays as it is
 *   <li>KEEP_NORM: n = |x| is kept for the next RESTORE_NORM of this list
 *   <li>RESTORE_NORM: x *= n / |x|, unless |x| is 0: a row of zeros has no direction to be rescaled along. n = 0 gives 0
 *   <li>PROBE: gates[t, second] = x.u; x stays as it is
 *   <li>WHEN: the entries that follow count only if low &lt; gates[t, second] &lt; high, up to the next WHEN or ALWAYS of
 *       this list. The gate was written by a PROBE for the same row: earlier in this list, or at an earlier call
 *   <li>ALWAYS: the entries that follow count
 * </ul>
 *
 * Dot products, norms and sums are float32. A row's edits are applied in the order of its list. An entry whose coefficient
 * is 0 must not be put into the table (a row without entries is untouched, bit for bit); the last five kinds do not look at
 * it. An edit that finds nothing to change (a clamp inside its bounds, a norm that is the same) leaves the bits alone.
 *
 * @param kinds [E]
 * @param directions [D, d]; null if no edit has a direction
 * @param direction [E] row of directions; unused by KEEP_NORM, RESTORE_NORM, WHEN and ALWAYS
 * @param second [E] row of directions of b2 for ROTATE, column of gates for PROBE and WHEN, else unused
 * @param low [E] see above, else unused
 * @param high [E] see above, else unused
 * @param rowStart [T+1] row t owns the entries rowStart[t] .. rowStart[t+1]-1
 * @param edit [entries] index into the E edits
 * @param coefficient [entries]
 * @param gates [T, G] what probes found for the rows of the step; null if there is neither PROBE nor WHEN
 */
public record EditTable(
        Kind[] kinds,
        Buffer directions,
        int[] direction,
        int[] second,
        float[] low,
        float[] high,
        int[] rowStart,
        int[] edit,
        float[] coefficient,
        Buffer gates) {
    public enum Kind {
        ADD,
        ABLATE,
        CLAMP,
        ROTATE,
        KEEP_NORM,
        RESTORE_NORM,
        PROBE,
        WHEN,
        ALWAYS;

        /** Whether it reads a direction. */
        public boolean hasDirection() {
            return this != KEEP_NORM && this != RESTORE_NORM && this != WHEN && this != ALWAYS;
        }

        /** Whether it reads or writes a gate. */
        public boolean hasGate() {
            return this == PROBE || this == WHEN;
        }
    }

    /** No edits for any row. */
    public static final EditTable NONE =
            new EditTable(new Kind[0], null, new float[0], new float[0], null, new int[0], new float[0]);

    /** Edits of one direction each, edit e of row e of directions [E, d], without gates. */
    public EditTable(
            Kind[] kinds,
            Buffer directions,
            float[] low,
            float[] high,
            int[] rowStart,
            int[] edit,
            float[] coefficient) {
        this(
                kinds,
                directions,
                IntStream.range(0, kinds.length).toArray(),
                new int[kinds.length],
                low,
                high,
                rowStart,
                edit,
                coefficient,
                null);
    }

    /** True if no row is edited. */
    public boolean isEmpty() {
        return edit.length == 0;
    }
}
