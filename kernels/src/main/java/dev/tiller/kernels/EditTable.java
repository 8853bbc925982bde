package dev.tiller.kernels;

/**
 * Edits at one site for the rows of one step, compiled: E directions shared by the batch, and for each row the list of
 * edits that apply to it (compressed rows). The cost of a row depends on its own edits only, not on how many different
 * edits the batch holds.
 *
 * <ul>
 *   <li>ADD: x += c * v, where v is the stored direction, not normalised
 *   <li>ABLATE: x -= c * (x.u) u, where u is a unit vector and c the strength in [0, 1]
 *   <li>CLAMP: p = x.u, x += c * (min(max(p, low), high) - p) u, where u is a unit vector and c the strength
 * </ul>
 *
 * Dot products and sums are float32. A row's edits are applied in the order of its list. An entry whose coefficient is
 * 0 must not be put into the table (a row without entries is untouched, bit for bit).
 *
 * @param kinds [E]
 * @param directions [E, d]; null if E = 0
 * @param low [E] lower bound of CLAMP, else unused
 * @param high [E] upper bound of CLAMP, else unused
 * @param rowStart [T+1] row t owns the entries rowStart[t] .. rowStart[t+1]-1
 * @param edit [entries] index into the E edits
 * @param coefficient [entries]
 */
public record EditTable(
        Kind[] kinds, Buffer directions, float[] low, float[] high, int[] rowStart, int[] edit, float[] coefficient) {
    public enum Kind {
        ADD,
        ABLATE,
        CLAMP
    }

    /** No edits for any row. */
    public static final EditTable NONE =
            new EditTable(new Kind[0], null, new float[0], new float[0], null, new int[0], new float[0]);

    /** True if no row is edited. */
    public boolean isEmpty() {
        return edit.length == 0;
    }
}
