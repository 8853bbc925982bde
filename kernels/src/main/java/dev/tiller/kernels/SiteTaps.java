package dev.tiller.kernels;

/**
 * What to read at a residual site, after its edits. Every part is optional (null).
 *
 * @param rows [T, d] receives a copy of the rows
 * @param probes [P, d] directions to project on
 * @param projections [T, P] receives row . probe (float32)
 * @param sums [A, d] accumulators; rows are added to them in order of t, so the result does not depend on threads
 * @param sumStart [T+1] row t is added to the accumulators sumSlot[sumStart[t]] .. sumSlot[sumStart[t+1]-1]
 * @param sumSlot [entries] accumulator index
 */
public record SiteTaps(Buffer rows, Buffer probes, Buffer projections, Buffer sums, int[] sumStart, int[] sumSlot) {
    public static final SiteTaps NONE = new SiteTaps(null, null, null, null, null, null);
}
