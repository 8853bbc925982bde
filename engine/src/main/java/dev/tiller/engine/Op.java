package dev.tiller.engine;

import java.util.Locale;

/**
 * What an edit does to a row h, with v the stored direction and u = v/|v|.
 *
 * <ul>
 *   <li>ADD: h += coefficient * v
 *   <li>ABLATE: h -= strength * (h.u) u
 *   <li>CLAMP: h += strength * (min(max(h.u, min), max) - h.u) u
 *   <li>SET: h += strength * (value - h.u) u
 * </ul>
 *
 * The order of the constants is the order of application at one site.
 */
public enum Op {
    ABLATE,
    ADD,
    CLAMP,
    SET;

    /** The name in plans, e.g. "add". */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }
}
