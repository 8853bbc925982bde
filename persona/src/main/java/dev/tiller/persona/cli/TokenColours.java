package dev.tiller.persona.cli;

/**
 * Background colours for tokens by their projection on a direction: blue for the negative side, orange for the positive
 * one, none in the middle. Escape sequences for 24-bit or 256 colours; {@link #NONE} leaves text as it is.
 */
enum TokenColours {
    NONE,
    INDEXED,
    TRUE;

    private static final String RESET = "\u001b[0m";
    private static final double MIDDLE = 0.15;
    private static final int[] WARM = {230, 223, 216, 209, 208};
    private static final int[] COLD = {195, 153, 117, 75, 33};

    /** What the terminal of that console can show: nothing unless a person sees the results, and none with NO_COLOR. */
    static TokenColours of(Console console) {
        return console.outIsTerminal()
                ? of(System.getenv("NO_COLOR"), System.getenv("COLORTERM"), System.getenv("TERM"))
                : NONE;
    }

    /** The same from the values of the three variables, null where not set. */
    static TokenColours of(String noColour, String colourTerm, String term) {
        if (noColour != null && !noColour.isEmpty() || term == null || term.isEmpty() || term.equals("dumb")) {
            return NONE;
        }
        return "truecolor".equals(colourTerm) || "24bit".equals(colourTerm) || term.endsWith("-direct")
                ? TRUE
                : INDEXED;
    }

    /**
     * @param value -1 (fully negative) to 1 (fully positive); beyond counts as the end
     */
    String paint(String text, double value) {
        if (this == NONE || !(Math.abs(value) >= MIDDLE) || text.isEmpty()) {
            return text;
        }
        String start = start(value);
        // A background must not run on over the rest of a line.
        return start + text.replace("\n", RESET + "\n" + start) + RESET;
    }

    private String start(double value) {
        double t = (Math.min(Math.abs(value), 1) - MIDDLE) / (1 - MIDDLE);
        if (this == INDEXED) {
            int[] ramp = value > 0 ? WARM : COLD;
            return "\u001b[38;5;16;48;5;" + ramp[(int) Math.round(t * (ramp.length - 1))] + "m";
        }
        int r = value > 0 ? 255 : mix(222, 70, t);
        int g = value > 0 ? mix(238, 140, t) : mix(236, 150, t);
        int b = value > 0 ? mix(215, 40, t) : 255;
        return "\u001b[38;2;0;0;0;48;2;" + r + ";" + g + ";" + b + "m";
    }

    private static int mix(int from, int to, double t) {
        return (int) Math.round(from + (to - from) * t);
    }
}
