package dev.tiller.engine;

import java.util.Locale;

/**
 * What an edit does to a row h, with v the stored direction and u = v/|v|.
 *
 * <ul>
 *   <li>ABLATE: h -= strength * (h.u) u (directional ablation, Arditi et al. 2024, arXiv 2406.11717)
 *   <li>REPLACE_MEAN: h += strength * (m.u - h.u) u: ablates and restores the component of a reference m, the mean of the
 *       negative class (affine concept editing, Marshall et al. 2024, arXiv 2411.09003)
 *   <li>ADD: h += coefficient * v (CAA, Rimsky et al. 2023, arXiv 2312.06681; persona vectors, arXiv 2507.21509)
 *   <li>ROTATE: h += |P h| (cos(degrees) b1 + sin(degrees) b2) - P h, where b1 = u, b2 is the second vector made
 *       orthonormal to b1 and P h = (h.b1) b1 + (h.b2) b2: the part of h in the plane of both is turned to that angle from
 *       the first vector towards the second; |h| is kept (angular steering). With a schedule it stops on the way: see ROTATE in
 *       {@link dev.tiller.kernels.EditTable}
 *   <li>CLAMP: h += strength * (min(max(h.u, low), high) - h.u) u
 *   <li>SET: h += strength * (value - h.u) u
 * </ul>
 *
 * With preserve_norm the result h' becomes h' |h| / |h'|, h being the row before this edit (an option of repeng and of CAST,
 * arXiv 2409.05907); what became zero stays zero.
 *
 * <p>The order of the constants is the order of application at one site, except that those of the first two are one
 * edit: their directions are orthonormalised together, so that their order does not matter.
 */
public enum Op {
    ABLATE,
    REPLACE_MEAN,
    ADD,
    ROTATE,
    CLAMP,
    SET;

    /** Whether it moves a projection to one value. */
    boolean aims() {
        return this == REPLACE_MEAN || this == SET;
    }

    /** The name in plans, e.g. "replace_mean". */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * True if a vector that was made for this operation may serve another without being forced to. A direction with a sign
     * and a natural length can be held or turned to as well as added. Removing it is another matter: the difference of two
     * poles has no "none" at zero.
     */
    public boolean serves(Op other) {
        return this == other
                || switch (this) {
                    case ADD -> other == CLAMP || other == SET || other == ROTATE;
                    case CLAMP -> other == SET;
                    case SET -> other == CLAMP;
                    case ABLATE -> other == REPLACE_MEAN;
                    case REPLACE_MEAN -> other == ABLATE;
                    case ROTATE -> false;
                };
    }
}
