package dev.tiller.persona;

import java.util.Locale;

/** The two ends of a trait: POS shows it, NEG shows its opposite. */
public enum Pole {
    POS,
    NEG;

    /** The name in trait files and question ids: "pos" or "neg". */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }
}
